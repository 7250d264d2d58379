// What the reference tokeniser knows about each code point: classes, lower case, canonical decompositions.
//
// The tables are generated from the behaviour of the reference itself (make_unicode_tables.py says why). They are small
// and searched, not indexed: the hot path uses the CharMap that is made from them when a tokeniser is compiled.
#pragma once

#include <cstdint>
#include <span>

namespace ks {

struct CharProperties {
  uint32_t first, last;  // the range that shares the rest
  uint8_t flags;
  uint8_t combining_class;  // canonical; 0 for starters

  static constexpr uint8_t kControl = 1;      // removed by text cleaning
  static constexpr uint8_t kWhitespace = 2;   // ends a word; made a space by text cleaning
  static constexpr uint8_t kPunctuation = 4;  // is a word of its own
  static constexpr uint8_t kChinese = 8;      // is put between spaces
  static constexpr uint8_t kNonspacing = 16;  // removed by accent stripping
  static constexpr uint8_t kWordLetter = 32;  // \w, for added tokens that must stand alone

  bool Has(uint8_t flag) const { return (flags & flag) != 0; }
};

// Never fails: a code point in no range has no flags. About 12 steps.
CharProperties PropertiesOf(char32_t c);

// The lower case of `c`: one code point, but for U+0130, which gives i and U+0307.
struct Lowercase {
  char32_t c;
  char32_t mark;  // 0 if none
};
Lowercase LowercaseOf(char32_t c);

// The full canonical decomposition, without reordering; `buffer` holds it where it is computed (Hangul, and `c`
// itself).
std::span<const uint32_t> DecompositionOf(char32_t c, uint32_t (&buffer)[3]);

constexpr char32_t kFirstHangulSyllable = 0xAC00;
constexpr int kHangulSyllables = 11172;

// All ranges with properties, in order, for those who make tables of them.
std::span<const CharProperties> AllProperties();

// The rows of the generated tables.
struct LowercaseRun {
  uint32_t first, last;
  uint8_t stride;
  int32_t delta;
};
struct Decomposition {
  uint32_t c;
  uint16_t offset, length;  // in the pool
};
std::span<const LowercaseRun> AllLowercaseRuns();
std::span<const Decomposition> AllDecompositions();

// Calls `visit(c)` for each code point with a lower case or a decomposition of its own, Hangul syllables left out.
template <typename Visit>
void ForEachMapped(Visit visit) {
  visit(char32_t{0x130});
  for (const LowercaseRun& run : AllLowercaseRuns()) {
    for (uint32_t c = run.first; c <= run.last; c += run.stride) visit(char32_t{c});
  }
  for (const Decomposition& d : AllDecompositions()) visit(char32_t{d.c});
}

}  // namespace ks
