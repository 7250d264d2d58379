// SHA-256 (FIPS 180-4), by libcrypto.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "absl/status/statusor.h"

namespace ks {

// The digest in lower-case hexadecimal, 64 characters.
std::string Sha256Hex(std::span<const std::byte> bytes);

// The same of a file, read in blocks and dropped from the page cache behind the reader, so that hashing a package costs no
// memory. Blocks for the whole file. Errors: kNotFound, kPermissionDenied, kInternal naming the path.
absl::StatusOr<std::string> Sha256HexOfFile(const std::filesystem::path& path);

}  // namespace ks
