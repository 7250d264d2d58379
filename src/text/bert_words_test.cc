// The fast way through the text against the exact one: the same words, with the same origins.
#include "text/bert_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

namespace ks {
namespace {

using ::testing::ElementsAre;

struct Seen {
  std::string bytes;
  uint32_t begin, end;
  std::vector<uint32_t> origins;
  bool too_long;
  friend bool operator==(const Seen&, const Seen&) = default;
};
void PrintTo(const Seen& word, std::ostream* out) {
  *out << word.bytes << " [" << word.begin << ", " << word.end << ")";
}

struct Collector {
  bool OnWord(const Word& word) {
    words.push_back({std::string(word.bytes), word.begin, word.end, {}, word.too_long});
    for (size_t i = 0; i < word.bytes.size(); ++i) words.back().origins.push_back(word.BeginOf(i));
    return words.size() < limit;
  }
  std::vector<Seen> words;
  size_t limit = SIZE_MAX;
};

class Scanner {
 public:
  explicit Scanner(const NormalizerOptions& options, uint32_t max_chars = 100)
      : options_(options), max_chars_(max_chars), section_(CharMap::Build(options)) {
    map_ = *CharMap::Read(SectionReader(SectionId::kCharMap, std::as_bytes(std::span(section_.bytes()))));
  }

  std::vector<Seen> Fast(std::string_view text, size_t limit = SIZE_MAX) const {
    Collector collector{.words = {}, .limit = limit};
    WordBuffer<true, Collector> word(max_chars_, collector);
    BertWords<true, Collector>(options_, map_, word).Scan(text, 0);
    return collector.words;
  }
  std::vector<Seen> Exact(std::string_view text) const {
    Collector collector;
    WordBuffer<true, Collector> word(max_chars_, collector);
    std::vector<NormalizedChar> chars;
    Normalize(text, options_, 0, chars);
    SplitNormalized<true>(std::span<const NormalizedChar>(chars), word);
    word.Flush();
    return collector.words;
  }

 private:
  NormalizerOptions options_;
  uint32_t max_chars_;
  SectionWriter section_;
  CharMap map_;
};

constexpr NormalizerOptions kUncased{true, true, true, true};

std::string RandomText(std::mt19937& random) {
  static constexpr char32_t kInteresting[] = {'a',    'B',     ' ',     '=',     '\n',    0,      0xAD,   0xC9,
                                              0x130,  0x301,   0x327,   0x338,   0x344,   0x958,  0xF73,  0x1B44,
                                              0x1E69, 0x2000,  0x212B,  0x302E,  0x4E2D,  0xAC01, 0xA9C0, 0xF900,
                                              0xFFFD, 0x1D160, 0x1D165, 0x1E000, 0x1F600, 0x2F800};
  std::string text;
  for (size_t i = random() % 14; i-- > 0;) {
    char32_t c = kInteresting[random() % std::size(kInteresting)];
    if (random() % 4 == 0) c = random() % 0xD800;
    AppendUtf8(c, text);
  }
  return text;
}

TEST(BertWords, AgreesWithTheExactNormalizerForAllOptions) {
  std::mt19937 random(1);
  for (int bits = 0; bits < 16; ++bits) {
    const Scanner scanner({(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0}, 6);
    for (int i = 0; i < 2000; ++i) {
      const std::string text = RandomText(random);
      ASSERT_EQ(scanner.Fast(text), scanner.Exact(text))
          << "options " << bits << ", text " << testing::PrintToString(text);
    }
  }
}

TEST(BertWords, SplitsAtSpacesPunctuationAndChinese) {
  const Scanner scanner(kUncased);
  std::vector<std::string> words;
  for (const Seen& word : scanner.Fast("Don't\tpanic!\u4e2d\u6587x")) words.push_back(word.bytes);
  EXPECT_THAT(words, ElementsAre("don", "'", "t", "panic", "!", "\u4e2d", "\u6587", "x"));
}

TEST(BertWords, CountsOriginsInCodePoints) {
  const Scanner scanner(kUncased);
  EXPECT_THAT(scanner.Fast("\U0001f600 \u00c9t\u00e9"),
              ElementsAre(Seen{"\U0001f600", 0, 1, {0, 0, 0, 0}, false}, Seen{"ete", 2, 5, {2, 3, 4}, false}));
}

TEST(BertWords, KeepsOnlyTheExtentOfALongWord) {
  const Scanner scanner(kUncased, 4);
  EXPECT_THAT(scanner.Fast("abcd abcde \u00e9bcde"),
              ElementsAre(Seen{"abcd", 0, 4, {0, 1, 2, 3}, false}, Seen{"abcd", 5, 10, {5, 6, 7, 8}, true},
                          Seen{"ebcd", 11, 16, {11, 12, 13, 14}, true}));
}

TEST(BertWords, StopsWhenTheSinkHasEnough) {
  const Scanner scanner(kUncased);
  EXPECT_EQ(scanner.Fast("a b c d", 2).size(), 2u);
  EXPECT_EQ(scanner.Fast("a!!!", 3).size(), 3u);
}

}  // namespace
}  // namespace ks
