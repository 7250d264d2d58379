#include "text/token_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace ks {
namespace {

using ::testing::ElementsAre;

class TokenSinkTest : public ::testing::Test {
 protected:
  TokenSinkTest()
      : section_(*WordPiece::Build({{{"?", 0}, {"a", 1}, {"##b", 2}, {"c", 3}}, "?", "##", 100})),
        model_(*WordPiece::Read(SectionReader(SectionId::kWordPiece, std::as_bytes(std::span(section_.bytes()))), 4)) {}

  static Word WordOf(std::string_view bytes) { return {bytes, 0, static_cast<uint32_t>(bytes.size())}; }

  SectionWriter section_;
  WordPiece model_;
  Encoding out_;
};

TEST_F(TokenSinkTest, ReadsNoFurtherOnceTheWindowIsFull) {
  TokenSink<false> sink(model_, {.room = 2}, out_);
  EXPECT_TRUE(sink.OnWord(WordOf("abb")));  // one piece more than there is room for
  EXPECT_TRUE(sink.read_to_end());
  EXPECT_FALSE(sink.OnWord(WordOf("c")));
  EXPECT_FALSE(sink.OnAddedToken(3, {}));
  EXPECT_FALSE(sink.read_to_end());
  EXPECT_EQ(sink.Keep(2), 2u);
  EXPECT_THAT(out_.ids, ElementsAre(1, 2));
  EXPECT_GT(sink.total(), 2u);
}

TEST_F(TokenSinkTest, TakesBackThePiecesOfAnUnknownWord) {
  TokenSink<true> sink(model_, {}, out_);
  EXPECT_TRUE(sink.OnWord(WordOf("abx")));
  EXPECT_THAT(out_.ids, ElementsAre(0));
  EXPECT_THAT(out_.offsets, ElementsAre(Offset{0, 3}));
}

TEST_F(TokenSinkTest, HoldsLittleOfALongTextThatIsCutOnTheLeft) {
  TokenSink<false> sink(model_, {.room = 3, .from_end = true}, out_);
  for (int i = 0; i < 100000; ++i) sink.OnWord(WordOf("a"));
  sink.OnWord(WordOf("c"));
  EXPECT_LT(out_.ids.capacity(), 20000u);
  EXPECT_EQ(sink.total(), 100001u);
  EXPECT_EQ(sink.Keep(3), 3u);
  EXPECT_THAT(out_.ids, ElementsAre(1, 1, 3));
}

TEST_F(TokenSinkTest, LeavesWhatStoodBefore) {
  out_.ids = {7, 8};
  TokenSink<false> sink(model_, {.room = 1, .from_end = true}, out_);
  sink.OnWord(WordOf("ab"));
  EXPECT_EQ(sink.Keep(1), 1u);
  EXPECT_THAT(out_.ids, ElementsAre(7, 8, 2));
}

}  // namespace
}  // namespace ks
