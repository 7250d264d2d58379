#include "cli/tables/line_reader.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {
using testing::ElementsAre;

std::vector<std::string> ReadLines(const std::string& bytes, size_t max_line_bytes = 1 << 20) {
  LineReader reader(MemoryByteSource(bytes, "lines"), max_line_bytes);
  std::vector<std::string> lines;
  Line line;
  while (reader.Next(line).value()) {
    EXPECT_EQ(line.number, static_cast<int64_t>(lines.size()) + 1);
    lines.push_back(line.too_long ? "(too long)" : std::string(line.text));
  }
  return lines;
}

TEST(LineReader, CutsAtLineFeeds) {
  EXPECT_THAT(ReadLines("a\nb\n"), ElementsAre("a", "b"));
  EXPECT_THAT(ReadLines("a\n\nb"), ElementsAre("a", "", "b"));
  EXPECT_THAT(ReadLines("\n"), ElementsAre(""));
  EXPECT_THAT(ReadLines(""), ElementsAre());
  EXPECT_THAT(ReadLines("a\r\n"), ElementsAre("a\r"));
}

TEST(LineReader, KnowsWhetherALineFeedFollowed) {
  LineReader reader(MemoryByteSource("a\nb", "lines"), 100);
  Line line;
  ASSERT_TRUE(reader.Next(line).value());
  EXPECT_TRUE(line.ended);
  ASSERT_TRUE(reader.Next(line).value());
  EXPECT_FALSE(line.ended);
}

TEST(LineReader, SkipsAByteOrderMarkAtTheBeginningOnly) {
  EXPECT_THAT(ReadLines("\xEF\xBB\xBF"
                        "a\n\xEF\xBB\xBF"
                        "b\n"),
              ElementsAre("a",
                          "\xEF\xBB\xBF"
                          "b"));
}

TEST(LineReader, SkipsLinesOverTheLimitAndGoesOn) {
  EXPECT_THAT(ReadLines("12345\n123456\n1\n1234567890", 5), ElementsAre("12345", "(too long)", "1", "(too long)"));
}

TEST(LineReader, LinesAcrossManyBuffersAreWhole) {
  // Lengths around the buffer's size (256 KiB), so that feeds fall on, before and after its end.
  std::string bytes;
  std::vector<std::string> want;
  for (const size_t length : {0, 1, 262143, 262144, 262145, 5, 700000, 3, 0, 524288}) {
    want.push_back(std::string(length, static_cast<char>('a' + want.size())));
    bytes += want.back() + "\n";
  }
  EXPECT_TRUE(ReadLines(bytes) == want);
  want[6] = want[9] = "(too long)";
  EXPECT_TRUE(ReadLines(bytes, 524287) == want);
}

}  // namespace
}  // namespace ks
