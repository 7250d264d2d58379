// How many tokens of each text stay when both have to share a window.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>

namespace ks {

struct PairLengths {
  size_t first = 0;
  size_t second = 0;
  friend bool operator==(const PairLengths&, const PairLengths&) = default;
};

// "Longest first", as the reference computes it: only the longer one is cut if that is enough, otherwise both get half,
// and the longer one the odd token (the second, of equals).
inline PairLengths LongestFirst(PairLengths tokens, size_t room) {
  if (tokens.first + tokens.second <= room) return tokens;
  size_t shorter = std::min(tokens.first, tokens.second);
  size_t longer = shorter > room ? shorter : std::max(shorter, room - shorter);
  if (shorter + longer > room) {
    shorter = room / 2;
    longer = room - shorter;
  }
  return tokens.first > tokens.second ? PairLengths{longer, shorter} : PairLengths{shorter, longer};
}

}  // namespace ks
