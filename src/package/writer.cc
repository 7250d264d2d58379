// Tested by writer_test.cc, which kills a writer at each of its steps.
#include "package/writer.h"

#include <algorithm>
#include <utility>

#include "base/mapped_file.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "package/package.h"

namespace ks {
namespace {

namespace fs = std::filesystem;

// Whether a manifest of ours stands in `directory`, of whatever version and in whatever state.
bool IsPackage(const fs::path& directory) {
  const absl::StatusOr<std::string> text = ReadFile(directory / kManifestFile, kMaxManifestBytes);
  return text.ok() && text->find(kPackageFormat) != text->npos;
}

}  // namespace

absl::StatusOr<PackageWriter> PackageWriter::Create(const fs::path& target, StagingOptions options) {
  std::error_code ignored;
  if (options.replace && fs::is_directory(target, ignored) && !fs::is_empty(target, ignored) && !IsPackage(target)) {
    return FailedPrecondition(target.string(), ": expected a model package to replace, found a directory without its ",
                              kManifestFile, "; it is left as it is");
  }
  KS_ASSIGN_OR_RETURN(StagedDirectory staged, StagedDirectory::Create(target, std::move(options)));
  return PackageWriter(std::move(staged));
}

absl::Status PackageWriter::AddFile(std::string_view name, std::span<const std::byte> bytes, bool optional) {
  return AddFile(name, [bytes](const ByteSink& sink) { return sink(bytes); }, optional);
}

absl::Status PackageWriter::AddFile(std::string_view name, const std::function<absl::Status(const ByteSink&)>& produce,
                                    bool optional) {
  KS_ASSIGN_OR_RETURN(StagedFile file, staged_.CreateFile(name));
  Sha256 hash;
  int64_t size = 0;
  KS_RETURN_IF_ERROR(produce([&](std::span<const std::byte> bytes) {
    hash.Update(bytes);
    size += static_cast<int64_t>(bytes.size());
    return file.Write(bytes);
  }));
  KS_RETURN_IF_ERROR(file.Finish());
  files_.push_back({std::string(name), size, std::move(hash).FinishHex(), optional});
  return absl::OkStatus();
}

absl::Status PackageWriter::Finish(Manifest manifest) {
  manifest.files = files_;
  std::sort(manifest.files.begin(), manifest.files.end(),
            [](const PackageFile& a, const PackageFile& b) { return a.name < b.name; });
  const std::string json = ManifestToJson(manifest);
  KS_RETURN_IF_ERROR(ManifestFromJson(json, kManifestFile).status());
  KS_ASSIGN_OR_RETURN(StagedFile file, staged_.CreateFile(kManifestFile));
  KS_RETURN_IF_ERROR(file.Write(std::as_bytes(std::span(json))));
  return file.Finish();
}

}  // namespace ks
