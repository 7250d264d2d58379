#include "checkpoint/checkpoint.h"

#include <set>

#include "base/json.h"
#include "base/status_macros.h"
#include "checkpoint/safetensors.h"

namespace ks {
namespace {

constexpr size_t kMaxIndexBytes = 64 << 20;

struct IndexEntry {
  std::string tensor;
  std::string file;
};

absl::StatusOr<std::vector<IndexEntry>> ReadIndex(const std::filesystem::path& path) {
  KS_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxIndexBytes));
  KS_ASSIGN_OR_RETURN(const JsonDocument document, JsonDocument::Parse(text, path.string()));
  KS_ASSIGN_OR_RETURN(const JsonObject root, document.root().AsObject());
  KS_ASSIGN_OR_RETURN(const JsonValue map_value, root.Require("weight_map"));
  KS_ASSIGN_OR_RETURN(const JsonObject map, map_value.AsObject());
  std::vector<IndexEntry> entries;
  for (const JsonObject::Member& member : map.members()) {
    KS_ASSIGN_OR_RETURN(const std::string_view file, member.value.AsString());
    // Only files beside the index: a checkpoint may not point elsewhere.
    if (file.empty() || file == "." || file == ".." || file.find_first_of(std::string_view("/\0", 2)) != file.npos) {
      return member.value.Unexpected("the name of a file in the same directory");
    }
    entries.push_back({std::string(member.key), std::string(file)});
  }
  if (entries.empty()) return map_value.Problem("names no tensor");
  return entries;
}

bool Exists(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

}  // namespace

absl::StatusOr<Checkpoint> Checkpoint::Open(const std::filesystem::path& directory) {
  Checkpoint checkpoint;
  if (Exists(directory / kCheckpointFile)) {
    KS_RETURN_IF_ERROR(checkpoint.OpenFile(directory, kCheckpointFile));
  } else if (Exists(directory / kCheckpointIndexFile)) {
    KS_RETURN_IF_ERROR(checkpoint.OpenIndexed(directory));
  } else {
    const bool pickled = Exists(directory / "pytorch_model.bin");
    return NotFound(directory.string(), ": neither ", kCheckpointFile, " nor ", kCheckpointIndexFile,
                    pickled ? "; pytorch_model.bin is not read, save the model with safe_serialization=True" : "");
  }
  for (size_t i = 0; i < checkpoint.tensors_.size(); ++i) checkpoint.index_.emplace(checkpoint.tensors_[i].name, i);
  return checkpoint;
}

absl::Status Checkpoint::OpenFile(const std::filesystem::path& directory, const std::string& file) {
  const std::filesystem::path path = directory / file;
  KS_ASSIGN_OR_RETURN(MappedFile mapping, MappedFile::Open(path));
  KS_ASSIGN_OR_RETURN(std::vector<TensorView> tensors, ReadSafetensors(mapping.bytes(), path.string()));
  std::move(tensors.begin(), tensors.end(), std::back_inserter(tensors_));
  mappings_.push_back(std::move(mapping));
  files_.push_back(file);
  return absl::OkStatus();
}

absl::Status Checkpoint::OpenIndexed(const std::filesystem::path& directory) {
  const std::filesystem::path index_path = directory / kCheckpointIndexFile;
  const absl::StatusOr<std::vector<IndexEntry>> index = ReadIndex(index_path);
  if (absl::IsInvalidArgument(index.status())) return WithCode(index.status(), absl::StatusCode::kDataLoss);
  KS_RETURN_IF_ERROR(index.status());

  std::set<std::string> files;
  for (const IndexEntry& entry : *index) files.insert(entry.file);
  for (const std::string& file : files) {
    KS_RETURN_IF_ERROR(
        WithContext(OpenFile(directory, file), Cat(index_path.string(), " names a file that cannot be used")));
  }

  // The index decides which file a tensor comes from, so that a tensor standing in two files is no riddle.
  absl::flat_hash_map<std::string, std::string> file_of;
  for (const IndexEntry& entry : *index) file_of.emplace(entry.tensor, (directory / entry.file).string());
  std::erase_if(tensors_, [&](const TensorView& tensor) {
    const auto found = file_of.find(tensor.name);
    return found == file_of.end() || found->second != tensor.file;
  });
  absl::flat_hash_map<std::string, std::string> missing = std::move(file_of);
  for (const TensorView& tensor : tensors_) missing.erase(tensor.name);
  for (const IndexEntry& entry : *index) {
    if (!missing.contains(entry.tensor)) continue;
    return DataLoss((directory / entry.file).string(), ": ", entry.tensor, ": missing, ", kCheckpointIndexFile,
                    " says that it is here");
  }
  return absl::OkStatus();
}

const TensorView* Checkpoint::Find(std::string_view name) const& {
  const auto found = index_.find(ToAbsl(name));
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

}  // namespace ks
