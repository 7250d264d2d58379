// SHA-256 (FIPS 180-4), by libcrypto.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <stop_token>
#include <string>

#include "absl/status/statusor.h"

namespace ks {

// Hashes what comes in pieces, for instance while it is written.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  void Update(std::span<const std::byte> bytes);
  // The digest in lower-case hexadecimal, 64 characters, of all the pieces. Ends the object's life but for destruction.
  std::string FinishHex() &&;

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

// The digest of `bytes`, as Sha256::FinishHex gives it.
std::string Sha256Hex(std::span<const std::byte> bytes);

// The same of a file, read in blocks. The page cache stays as it was: what this had to read is dropped behind the reader,
// so that hashing a package costs no memory, and what others had read stays for them. Blocks for the whole file, or until
// `stop` is requested. Errors: kNotFound, kPermissionDenied, kInternal naming the path; kCancelled.
absl::StatusOr<std::string> Sha256HexOfFile(const std::filesystem::path& path, const std::stop_token& stop = {});

}  // namespace ks
