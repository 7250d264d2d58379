// Where rows come from: a file or standard input, .gz and .xz read through.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"

namespace ks {

// Bytes in order, once. One thread at a time.
class ByteSource {
 public:
  virtual ~ByteSource() = default;

  // Reads up to buffer.size() bytes (at least 1) into `buffer` and says how many; 0 only at the end. May block.
  // Errors: those of the system, kCancelled when a signal interrupted the read, kDataLoss naming the file where
  // compressed data is damaged or ends early.
  virtual absl::StatusOr<size_t> Read(std::span<char> buffer) = 0;

  // How much of the file as it lies on the disk has been read, and how large it is; 0 where that is unknown (a pipe).
  virtual int64_t bytes_read() const = 0;
  virtual int64_t total_bytes() const = 0;
};

// Opens `path`, or standard input for "-". A name that ends in .gz or .xz is decompressed (concatenated members as
// well). Errors: kNotFound, kPermissionDenied, kInvalidArgument for a directory; each names the path.
absl::StatusOr<std::unique_ptr<ByteSource>> OpenByteSource(const std::string& path);

// Over bytes in memory, for tests. `name` begins the messages, its ending decides about decompression.
std::unique_ptr<ByteSource> MemoryByteSource(std::string bytes, const std::string& name);

// `path` without a final .gz or .xz.
std::string_view WithoutCompression(std::string_view path);

}  // namespace ks
