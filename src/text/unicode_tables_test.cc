#include "text/unicode_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ks {
namespace {

using ::testing::ElementsAre;

TEST(UnicodeTables, KnowTheClassesOfTheReference) {
  EXPECT_TRUE(PropertiesOf(0).Has(CharProperties::kControl));
  EXPECT_TRUE(PropertiesOf(0xFFFD).Has(CharProperties::kControl));
  EXPECT_TRUE(PropertiesOf(0xE000).Has(CharProperties::kControl));  // private use counts as such
  EXPECT_FALSE(PropertiesOf('\n').Has(CharProperties::kControl));
  EXPECT_TRUE(PropertiesOf(0x3000).Has(CharProperties::kWhitespace));
  EXPECT_TRUE(PropertiesOf('$').Has(CharProperties::kPunctuation));  // all ASCII symbols are punctuation
  EXPECT_FALSE(PropertiesOf(0x20AC).Has(CharProperties::kPunctuation));
  EXPECT_TRUE(PropertiesOf(0x4E2D).Has(CharProperties::kChinese));
  EXPECT_FALSE(PropertiesOf(0x3042).Has(CharProperties::kChinese));
  EXPECT_TRUE(PropertiesOf(0x301).Has(CharProperties::kNonspacing));
  EXPECT_TRUE(PropertiesOf('_').Has(CharProperties::kWordLetter));
  EXPECT_EQ(PropertiesOf('a').combining_class, 0);
  EXPECT_EQ(PropertiesOf(0x301).combining_class, 230);
  EXPECT_EQ(PropertiesOf(0x327).combining_class, 202);
  EXPECT_EQ(PropertiesOf(0x345).combining_class, 240);
  EXPECT_EQ(PropertiesOf(0x10FFFF + 1).flags, 0);
}

TEST(UnicodeTables, LowersRunsOfBothStridesAndTheDottedI) {
  EXPECT_EQ(LowercaseOf('Z').c, U'z');
  EXPECT_EQ(LowercaseOf('z').c, U'z');
  EXPECT_EQ(LowercaseOf(0x100).c, char32_t{0x101});
  EXPECT_EQ(LowercaseOf(0x101).c, char32_t{0x101});
  EXPECT_EQ(LowercaseOf(0x10594).c, char32_t{0x105BB});
  EXPECT_EQ(LowercaseOf(0x130).c, U'i');
  EXPECT_EQ(LowercaseOf(0x130).mark, char32_t{0x307});
  EXPECT_EQ(LowercaseOf('A').mark, char32_t{0});
}

TEST(UnicodeTables, DecomposesToTheEnd) {
  uint32_t buffer[3];
  EXPECT_THAT(DecompositionOf('a', buffer), ElementsAre('a'));
  EXPECT_THAT(DecompositionOf(0x1E69, buffer), ElementsAre('s', 0x323, 0x307));
  EXPECT_THAT(DecompositionOf(0x212B, buffer), ElementsAre('A', 0x30A));
  EXPECT_THAT(DecompositionOf(0xAC00, buffer), ElementsAre(0x1100, 0x1161));
  EXPECT_THAT(DecompositionOf(0xD7A3, buffer), ElementsAre(0x1112, 0x1175, 0x11C2));
}

TEST(UnicodeTables, AreSortedAndDisjoint) {
  uint32_t after = 0;
  for (const CharProperties& range : AllProperties()) {
    ASSERT_GE(range.first, after);
    ASSERT_GE(range.last, range.first);
    after = range.last + 1;
  }
  after = 0;
  for (const LowercaseRun& run : AllLowercaseRuns()) {
    ASSERT_GE(run.first, after);
    after = run.last + 1;
  }
}

}  // namespace
}  // namespace ks
