// A whole file, mapped read-only.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

#include "absl/status/statusor.h"

namespace ks {

// Owns the mapping; views into it live as long as the object. The bytes are those of the page cache: nothing is read
// until it is touched. A file that is truncated by others while mapped ends the process with SIGBUS, as with every
// mapping, so only files that are replaced by rename (packages, checkpoints) are mapped. Safe to read from any thread.
class MappedFile {
 public:
  // Errors: kNotFound, kPermissionDenied (the message names the path), kInvalidArgument if `path` is not a regular
  // file.
  static absl::StatusOr<MappedFile> Open(const std::filesystem::path& path);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const& { return {data_, size_}; }
  std::span<const std::byte> bytes() const&& = delete;
  std::string_view text() const& { return {reinterpret_cast<const char*>(data_), size_}; }
  std::string_view text() const&& = delete;
  size_t size() const { return size_; }

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// Reads a whole file of at most `max_bytes` into memory.
// Errors: as MappedFile::Open, and kInvalidArgument naming both sizes if the file is larger.
absl::StatusOr<std::string> ReadFile(const std::filesystem::path& path, size_t max_bytes);

}  // namespace ks
