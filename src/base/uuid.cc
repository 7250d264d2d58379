#include "base/uuid.h"

#include <cstdint>

#include "base/hex.h"
#include "base/random.h"

namespace ks {
namespace {

constexpr char kHex[] = "0123456789abcdef";

bool IsDash(size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

}  // namespace

std::string NewUuid4() {
  uint64_t bits[2] = {RandomBits(), RandomBits()};
  bits[0] = (bits[0] & ~0xF000ull) | 0x4000ull;        // version 4
  bits[1] = (bits[1] & ~(3ull << 62)) | (2ull << 62);  // variant 10
  std::string uuid(36, '-');
  size_t digit = 0;
  for (size_t i = 0; i < uuid.size(); ++i) {
    if (IsDash(i)) continue;
    uuid[i] = kHex[bits[digit / 16] >> (60 - 4 * (digit % 16)) & 15];
    ++digit;
  }
  return uuid;
}

bool IsUuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsDash(i) ? text[i] != '-' : HexDigitValue(text[i]) < 0) return false;
  }
  return true;
}

}  // namespace ks
