// Binary searches over the generated tables. Tested by unicode_tables_test.cc, and code point by code point against the
// reference by tests/tokenizer_parity.py.
#include "text/unicode_tables.h"

#include <algorithm>
#include <iterator>

namespace ks {
namespace {

#include "text/unicode_tables.inc"

// Hangul syllables are a regular grid: leading consonant, vowel, optional tail (Unicode, section 3.12).
constexpr char32_t kLeadBase = 0x1100, kVowelBase = 0x1161, kTailBase = 0x11A7;
constexpr uint32_t kVowels = 21, kTails = 28;

}  // namespace

CharProperties PropertiesOf(char32_t c) {
  const auto* found = std::partition_point(std::begin(kProperties), std::end(kProperties),
                                           [c](const CharProperties& range) { return range.last < c; });
  if (found == std::end(kProperties) || c < found->first) return {c, c, 0, 0};
  return *found;
}

Lowercase LowercaseOf(char32_t c) {
  if (c == 0x130) return {'i', 0x307};
  const auto* run = std::partition_point(std::begin(kLowercase), std::end(kLowercase),
                                         [c](const LowercaseRun& r) { return r.last < c; });
  if (run != std::end(kLowercase) && c >= run->first && (c - run->first) % run->stride == 0) {
    return {static_cast<char32_t>(static_cast<int32_t>(c) + run->delta), 0};
  }
  return {c, 0};
}

std::span<const uint32_t> DecompositionOf(char32_t c, uint32_t (&buffer)[3]) {
  if (c >= kFirstHangulSyllable && c < kFirstHangulSyllable + kHangulSyllables) {
    const uint32_t i = c - kFirstHangulSyllable;
    buffer[0] = kLeadBase + i / (kVowels * kTails);
    buffer[1] = kVowelBase + i / kTails % kVowels;
    buffer[2] = kTailBase + i % kTails;
    return {buffer, i % kTails == 0 ? 2u : 3u};
  }
  const auto* found = std::partition_point(std::begin(kDecompositions), std::end(kDecompositions),
                                           [c](const Decomposition& d) { return d.c < c; });
  if (found != std::end(kDecompositions) && found->c == c) return {kDecompositionPool + found->offset, found->length};
  buffer[0] = c;
  return {buffer, 1};
}

std::span<const CharProperties> AllProperties() { return kProperties; }
std::span<const LowercaseRun> AllLowercaseRuns() { return kLowercase; }
std::span<const Decomposition> AllDecompositions() { return kDecompositions; }

}  // namespace ks
