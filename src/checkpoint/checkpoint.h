// The weights of a Hugging Face model directory: one safetensors file, or several with an index.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "base/mapped_file.h"
#include "checkpoint/tensor.h"

namespace ks {

inline constexpr char kCheckpointFile[] = "model.safetensors";
inline constexpr char kCheckpointIndexFile[] = "model.safetensors.index.json";

// Named tensor views over mapped files. Nothing is copied; a tensor is read from disk when it is touched. Movable;
// views stay valid as long as the object (or what it was moved into) lives. Immutable: safe from any thread.
class Checkpoint {
 public:
  // Opens model.safetensors of `directory`, or else the files that model.safetensors.index.json names.
  //
  // Errors: kNotFound where there are no weights (a pytorch_model.bin beside is pointed out) or a file of the index is
  // missing; kDataLoss for a damaged file or index, naming file and tensor; kPermissionDenied.
  static absl::StatusOr<Checkpoint> Open(const std::filesystem::path& directory);

  // nullptr where there is no such tensor.
  const TensorView* Find(std::string_view name) const&;
  const TensorView* Find(std::string_view name) const&& = delete;

  // The weight files' names in the directory, sorted.
  const std::vector<std::string>& files() const { return files_; }
  // All tensors, by file, in the order of their bytes.
  std::span<const TensorView> tensors() const& { return tensors_; }
  std::span<const TensorView> tensors() const&& = delete;

 private:
  absl::Status OpenFile(const std::filesystem::path& directory, const std::string& file);
  absl::Status OpenIndexed(const std::filesystem::path& directory);

  std::vector<MappedFile> mappings_;
  std::vector<std::string> files_;
  std::vector<TensorView> tensors_;
  absl::flat_hash_map<std::string, size_t> index_;  // by name, into tensors_
};

}  // namespace ks
