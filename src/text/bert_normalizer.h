// The BERT normaliser, stage by stage, as the reference defines it: cleaning, spaces around Chinese characters,
// canonical decomposition with reordering, stripping of accents, lower case.
//
// This is the exact form, a list of characters that remember where they come from. It is slow; the tokeniser runs it
// where the order of combining marks matters, and to make the CharMap, which does the same one character at a time.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "text/section_file.h"

namespace ks {

struct NormalizerOptions {
  bool clean_text = false;
  bool handle_chinese_chars = false;
  bool strip_accents = false;
  bool lowercase = false;
  friend bool operator==(const NormalizerOptions&, const NormalizerOptions&) = default;
};

SectionWriter BuildNormalizerSection(const NormalizerOptions& options);
// Errors: kDataLoss.
absl::StatusOr<NormalizerOptions> ReadNormalizerSection(SectionReader reader);

struct NormalizedChar {
  char32_t c;
  uint32_t origin;  // the code point of the original text that the reference ascribes it to
  friend bool operator==(const NormalizedChar&, const NormalizedChar&) = default;
};

// Normalises valid UTF-8 into `out` (which is replaced). The first code point of `text` has the origin `first_origin`.
// Linear, but for runs of combining marks, which are sorted.
void Normalize(std::string_view text, const NormalizerOptions& options, uint32_t first_origin,
               std::vector<NormalizedChar>& out);

}  // namespace ks
