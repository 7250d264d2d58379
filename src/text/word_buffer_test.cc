#include "text/word_buffer.h"

#include <gtest/gtest.h>

#include <string>

namespace ks {
namespace {

struct LastWord {
  bool OnWord(const Word& word) {
    bytes = word.bytes;
    begin = word.begin;
    end = word.end;
    has_origins = word.origins != nullptr;
    second_piece_begin = word.bytes.size() > 1 ? word.BeginOf(1) : 0;
    ++count;
    return true;
  }
  std::string bytes;
  uint32_t begin = 0, end = 0, second_piece_begin = 0;
  bool has_origins = false;
  int count = 0;
};

TEST(WordBuffer, WritesNoOriginsForLettersSideBySide) {
  LastWord last;
  WordBuffer<true, LastWord> word(10, last);
  word.Append('a', 7);
  word.Append('b', 8);
  EXPECT_TRUE(word.Flush());
  EXPECT_EQ(last.bytes, "ab");
  EXPECT_FALSE(last.has_origins);
  EXPECT_EQ(last.second_piece_begin, 8u);
}

TEST(WordBuffer, RemembersGapsInTheOriginal) {
  LastWord last;
  WordBuffer<true, LastWord> word(10, last);
  word.Append('a', 7);
  word.Append('b', 9);  // something was dropped at 8
  EXPECT_TRUE(word.Flush());
  EXPECT_TRUE(last.has_origins);
  EXPECT_EQ(last.second_piece_begin, 9u);
  EXPECT_EQ(last.end, 10u);
}

TEST(WordBuffer, FlushesNothingWhenEmpty) {
  LastWord last;
  WordBuffer<false, LastWord> word(10, last);
  EXPECT_TRUE(word.Flush());
  word.Append('a', 0);
  word.Discard();
  EXPECT_TRUE(word.Flush());
  EXPECT_EQ(last.count, 0);
}

TEST(WordBuffer, HoldsWordsBeyondItsInlineRoom) {
  LastWord last;
  WordBuffer<true, LastWord> word(1000, last);
  std::string expected;
  for (uint32_t i = 0; i < 1000; ++i) {
    word.Append(0x1F600, i);
    expected += "\U0001f600";
  }
  EXPECT_EQ(word.room(), 0u);
  EXPECT_TRUE(word.Flush());
  EXPECT_EQ(last.bytes, expected);
  EXPECT_EQ(last.end, 1000u);
}

}  // namespace
}  // namespace ks
