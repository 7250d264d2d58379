// The expected values are what the reference gave.
#include "text/bert_normalizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ks {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr NormalizerOptions kUncased{true, true, true, true};

std::vector<NormalizedChar> Normalized(std::string_view text, const NormalizerOptions& options = kUncased) {
  std::vector<NormalizedChar> chars{{'?', 99}};  // replaced
  Normalize(text, options, 0, chars);
  return chars;
}

TEST(Normalize, LowersAndStripsAccents) {
  EXPECT_THAT(Normalized("\u00c9A\u0301x"),
              ElementsAre(NormalizedChar{'e', 0}, NormalizedChar{'a', 1}, NormalizedChar{'x', 3}));
}

TEST(Normalize, CleansControlCharactersAndWhitespace) {
  EXPECT_THAT(Normalized(std::string_view("a\0\u00ad\tb", 6)),
              ElementsAre(NormalizedChar{'a', 0}, NormalizedChar{' ', 3}, NormalizedChar{'b', 4}));
  EXPECT_THAT(Normalized("\ufffd\u200b"), IsEmpty());
}

TEST(Normalize, PutsChineseBetweenSpaces) {
  EXPECT_THAT(Normalized("\u4e2d"),
              ElementsAre(NormalizedChar{' ', 0}, NormalizedChar{0x4E2D, 0}, NormalizedChar{' ', 0}));
}

TEST(Normalize, DoesOnlyWhatIsAskedFor) {
  EXPECT_THAT(Normalized("\u00c9\t", {}), ElementsAre(NormalizedChar{0xC9, 0}, NormalizedChar{'\t', 1}));
  EXPECT_THAT(Normalized("\u00c9", {.lowercase = true}), ElementsAre(NormalizedChar{0xE9, 0}));
  EXPECT_THAT(Normalized("\u0130", {.lowercase = true}), ElementsAre(NormalizedChar{'i', 0}, NormalizedChar{0x307, 0}));
}

// U+1D160 decomposes into a note head, a stem and a flag; the last two are marks that stay (class 216). The cedilla
// (202) is sorted between head and stem, so the reference ascribes them to the cedilla, and the cedilla is stripped.
TEST(Normalize, AscribesReorderedMarksAsTheReference) {
  EXPECT_THAT(Normalized("\U0001d160\u0327"),
              ElementsAre(NormalizedChar{0x1D158, 0}, NormalizedChar{0x1D165, 1}, NormalizedChar{0x1D16E, 1}));
  // Without the cedilla they belong to the note.
  EXPECT_THAT(Normalized("\U0001d160"),
              ElementsAre(NormalizedChar{0x1D158, 0}, NormalizedChar{0x1D165, 0}, NormalizedChar{0x1D16E, 0}));
  // Two marks that stay: U+302E (224) goes behind U+1D165 (216).
  EXPECT_THAT(Normalized("a\u302e\U0001d165"),
              ElementsAre(NormalizedChar{'a', 0}, NormalizedChar{0x1D165, 1}, NormalizedChar{0x302E, 2}));
}

TEST(NormalizerSection, KeepsEveryOption) {
  for (int bits = 0; bits < 16; ++bits) {
    const NormalizerOptions options{(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0};
    const SectionWriter writer = BuildNormalizerSection(options);
    EXPECT_EQ(*ReadNormalizerSection(SectionReader(SectionId::kNormalizer, std::as_bytes(std::span(writer.bytes())))),
              options);
  }
}

}  // namespace
}  // namespace ks
