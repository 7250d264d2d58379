// What a pre-tokeniser hands to a model: one word.
#pragma once

#include <cstdint>
#include <string_view>

namespace ks {

struct Word {
  std::string_view bytes;  // normalised
  uint32_t begin = 0;      // of the word in the original text, in code points
  uint32_t end = 0;
  // Which code point of the original text each byte comes from; nullptr if byte i comes from begin + i, or if nobody
  // asked.
  const uint32_t* origins = nullptr;
  bool too_long = false;  // more characters than the model takes; `bytes` holds only the first

  uint32_t BeginOf(size_t byte) const {
    return origins == nullptr ? begin + static_cast<uint32_t>(byte) : origins[byte];
  }
  // Where the part that ends before `byte` (not 0) ends.
  uint32_t EndOf(size_t byte) const { return BeginOf(byte - 1) + 1; }
};

}  // namespace ks
