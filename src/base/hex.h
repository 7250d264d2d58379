// Bytes as text.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace ks {

// Two lower-case hexadecimal digits a byte.
inline std::string ToHex(std::span<const uint8_t> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const uint8_t byte : bytes) hex += {kDigits[byte >> 4], kDigits[byte & 15]};
  return hex;
}

}  // namespace ks
