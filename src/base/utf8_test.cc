#include "base/utf8.h"

#include <gtest/gtest.h>

namespace ks {
namespace {

TEST(Utf8, RoundTripsEveryScalarValue) {
  std::string all;
  size_t count = 0;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    AppendUtf8(c, all);
    ++count;
  }
  EXPECT_EQ(FindInvalidUtf8(all), std::nullopt);
  EXPECT_EQ(CountCodePoints(all), count);
  size_t pos = 0;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    ASSERT_EQ(NextCodePoint(all, pos), c);
  }
  EXPECT_EQ(pos, all.size());
}

TEST(Utf8, FindsTheFirstInvalidByte) {
  struct Case {
    std::string_view text;
    size_t at;
  };
  const Case cases[] = {
      {"\xff", 0},          {"abc\x80", 3},          {"\xC0\x80", 0},         {"\xE0\x80\x80", 0},
      {"a\xED\xA0\x80", 1}, {"\xF5\x80\x80\x80", 0}, {"\xF4\x90\x80\x80", 0}, {"12345678\xC3", 8},
      {"\xE2\x82", 0},
  };
  for (const Case& c : cases) EXPECT_EQ(FindInvalidUtf8(c.text), c.at) << c.text;
}

TEST(Utf8, TellsBlankTexts) {
  for (const char* text : {"", " ", "\t\r\n", "\xC2\x85", "\xC2\xA0", "\xE2\x80\x83", "\xE3\x80\x80 "})
    EXPECT_TRUE(IsBlank(text)) << text;
  // Not white space: a zero-width space, a letter among spaces, a control character.
  for (const char* text : {"\xE2\x80\x8B", "  a  ", "\x01", "\xC2\xA1"}) EXPECT_FALSE(IsBlank(text)) << text;
}

TEST(Utf8, TellsPrintableAscii) {
  for (const char* text : {"", " ", "~", "a b"}) EXPECT_TRUE(IsPrintableAscii(text)) << text;
  for (const char* text : {"\x1F", "a\x7F", "\t", "\xC3\xA9"}) EXPECT_FALSE(IsPrintableAscii(text)) << text;
}

}  // namespace
}  // namespace ks
