// float16, IEEE 754's binary16, as its bits.
#pragma once

#include <bit>
#include <cstdint>

namespace ks {

// The nearest float16, even on ties; what is too large becomes an infinity, a NaN stays one.
inline uint16_t ToHalf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) return sign | 0x7E00;   // NaN
  if (magnitude >= 0x477FF000) return sign | 0x7C00;  // from halfway between 65504 and 65536
  if (magnitude < 0x38800000) {
    // Below 2^-14, where float16 has multiples of 2^-24: the sum with 0.5 has its last bit there and rounds for us.
    const float sum = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(sum) - std::bit_cast<uint32_t>(0.5f)));
  }
  const uint32_t even = magnitude >> 13 & 1;  // the last bit that stays
  return static_cast<uint16_t>(sign | ((magnitude - 0x38000000 + 0xFFF + even) >> 13));
}

}  // namespace ks
