#include "text/byte_trie.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "base/strings.h"

namespace ks {
namespace {

using ::testing::HasSubstr;

const SectionReader kReader(SectionId::kWordPiece, {});

using Strings = std::map<std::string, int32_t>;

std::vector<ByteTrie::Unit> UnitsOf(const Strings& strings) {
  std::vector<ByteTrie::Entry> entries;
  for (const auto& [key, value] : strings) entries.push_back({key, value});
  return *ByteTrie::Build(entries);
}

Strings RandomStrings(size_t count, int letters) {
  std::mt19937 random(7);
  Strings strings;
  while (strings.size() < count) {
    std::string key(random() % 9, '\0');
    for (char& c : key) c = static_cast<char>(random() % static_cast<unsigned>(letters));
    strings.emplace(key, static_cast<int32_t>(strings.size()));
  }
  return strings;
}

TEST(ByteTrie, FindsExactlyItsStrings) {
  for (const int letters : {3, 256}) {
    const Strings strings = RandomStrings(3000, letters);
    const auto units = UnitsOf(strings);
    const auto trie = ByteTrie::FromUnits(units, 3000, kReader);
    ASSERT_TRUE(trie.ok()) << trie.status();
    for (const auto& [key, value] : strings) {
      EXPECT_EQ(trie->Find(key), value);
      const std::string longer = key + '\1';
      EXPECT_EQ(trie->Find(longer).has_value(), strings.contains(longer));
    }
  }
}

TEST(ByteTrie, GivesTheLongestBeginning) {
  const Strings strings = RandomStrings(500, 3);
  const auto units = UnitsOf(strings);
  const auto trie = ByteTrie::FromUnits(units, 500, kReader);
  std::mt19937 random(8);
  for (int i = 0; i < 2000; ++i) {
    std::string text(random() % 12, '\0');
    for (char& c : text) c = static_cast<char>(random() % 4);
    ByteTrie::Match expected;
    for (size_t length = 1; length <= text.size(); ++length) {
      const auto found = strings.find(text.substr(0, length));
      if (found != strings.end()) expected = {found->second, length};
    }
    const ByteTrie::Match match = trie->Longest(ByteTrie::kRoot, text.data(), text.size());
    EXPECT_EQ(match.value, expected.value);
    EXPECT_EQ(match.length, expected.length);
  }
}

TEST(ByteTrie, GoesOnFromTheNodeOfAPrefix) {
  const auto units = UnitsOf({{"##ing", 0}, {"##i", 1}, {"ing", 2}});
  const auto trie = ByteTrie::FromUnits(units, 3, kReader);
  const std::string text = "ingot";
  EXPECT_EQ(trie->Longest(*trie->Walk("##"), text.data(), text.size()).value, 0);
  EXPECT_EQ(trie->Longest(ByteTrie::kRoot, text.data(), text.size()).value, 2);
  EXPECT_FALSE(trie->Walk("#x").has_value());
}

TEST(ByteTrie, HoldsNothingWhenEmpty) {
  const auto units = UnitsOf({});
  const auto trie = ByteTrie::FromUnits(units, 0, kReader);
  ASSERT_TRUE(trie.ok()) << trie.status();
  for (int byte = 0; byte < 256; ++byte) EXPECT_FALSE(trie->Find(std::string(1, static_cast<char>(byte))).has_value());
}

TEST(ByteTrie, RefusesArraysThatLeadOutside) {
  const auto good = UnitsOf({{"a", 0}, {"ab", 1}});
  EXPECT_THAT(std::string(ByteTrie::FromUnits(std::span(good).first(100), 2, kReader).status().message()),
              HasSubstr("a trie of 100 units"));
  EXPECT_THAT(std::string(ByteTrie::FromUnits(good, 1, kReader).status().message()), HasSubstr("the value 1 of 1"));
  auto units = good;
  units[5].base_and_label = 0xFFFFFFFF;
  const absl::Status status = ByteTrie::FromUnits(units, 2, kReader).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("leads outside itself"));
}

}  // namespace
}  // namespace ks
