#include "text/char_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr NormalizerOptions kUncased{true, true, true, true};

SectionReader ReaderOf(const std::string& bytes) { return {SectionId::kCharMap, std::as_bytes(std::span(bytes))}; }

TEST(CharMap, KnowsWhatBecomesOfEachKindOfCharacter) {
  const SectionWriter section = CharMap::Build(kUncased);
  const auto map = CharMap::Read(ReaderOf(section.bytes()));
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ(map->Find('a'), CharEntry(CharEntry::kLetter, 0));
  EXPECT_EQ(map->Find('A'), CharEntry(CharEntry::kMappedLetter, 'a'));
  EXPECT_EQ(map->Find(0xC9), CharEntry(CharEntry::kMappedLetter, 'e'));
  EXPECT_EQ(map->Find(0x2000), CharEntry(CharEntry::kSpace, 0));
  EXPECT_EQ(map->Find(0x2260), CharEntry(CharEntry::kIsolated, '='));
  EXPECT_EQ(map->Find(0x4E2D), CharEntry(CharEntry::kIsolatedCopy, 0));
  EXPECT_EQ(map->Find(0x301), CharEntry(CharEntry::kDropped, 0));
  EXPECT_EQ(map->Find(0xAC00), CharEntry(CharEntry::kHangul, 0));
  EXPECT_EQ(map->Find(0x1D160), CharEntry(CharEntry::kExact, 0));
  EXPECT_EQ(map->Find(0x10FFFD), CharEntry(CharEntry::kDropped, 0));
  EXPECT_EQ(map->ascii()['Q'].byte, 'q');
  EXPECT_EQ(map->ascii()['!'].kind, CharEntry::kIsolated);
  EXPECT_EQ(map->ascii()[0xC3].kind, CharEntry::kExact);
}

TEST(CharMap, ListsSeveralLetters) {
  const SectionWriter section = CharMap::Build({.lowercase = true});
  const auto map = CharMap::Read(ReaderOf(section.bytes()));
  const CharEntry entry = map->Find(0x130);
  ASSERT_EQ(entry.kind(), CharEntry::kLetters);
  EXPECT_THAT(map->LettersOf(entry), ElementsAre('i', 0x307));
}

TEST(CharMap, IsSmall) { EXPECT_LT(CharMap::Build(kUncased).bytes().size(), 128u << 10); }

TEST(CharMap, RefusesEntriesThatMeanNothing) {
  const std::string good = CharMap::Build(kUncased).bytes();
  std::string bytes = good;
  bytes[bytes.size() - 1] = '\x7F';  // the last letter of the pool, or an entry where the pool is empty
  const auto map = CharMap::Read(ReaderOf(bytes));
  EXPECT_EQ(map.status().code(), absl::StatusCode::kDataLoss);
  bytes = good;
  bytes[8] = bytes[9] = '\x7F';  // the first block
  EXPECT_THAT(std::string(CharMap::Read(ReaderOf(bytes)).status().message()), HasSubstr("a block outside the table"));
}

}  // namespace
}  // namespace ks
