#include "base/units.h"

#include "gtest/gtest.h"

namespace ks {
namespace {
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Units, ReadsDurations) {
  EXPECT_EQ(ParseDuration("250ms"), milliseconds(250));
  EXPECT_EQ(ParseDuration("5s"), seconds(5));
  EXPECT_EQ(ParseDuration("2m"), seconds(120));
  EXPECT_EQ(ParseDuration("1h"), seconds(3600));
  EXPECT_EQ(ParseDuration("0s"), seconds(0));
  EXPECT_EQ(ParseDuration("0"), seconds(0));
}

TEST(Units, RefusesWhatIsNoDuration) {
  for (const char* text : {"", "5", "s", "-5s", "5 s", "5S", "1.5s", "5sec", "5s ", "+5s", "99999999999999999999s",
                           "9999999999999h", "9223372036854775807ms"}) {
    EXPECT_FALSE(ParseDuration(text).has_value()) << text;
  }
}

TEST(Units, ReadsSizes) {
  EXPECT_EQ(ParseBytes("1000"), 1000);
  EXPECT_EQ(ParseBytes("32KiB"), 32 << 10);
  EXPECT_EQ(ParseBytes("8MiB"), 8 << 20);
  EXPECT_EQ(ParseBytes("4GiB"), int64_t{4} << 30);
  EXPECT_EQ(ParseBytes("0"), 0);
}

TEST(Units, RefusesWhatIsNoSize) {
  for (const char* text : {"", "8MB", "8mib", "-1", "8 MiB", "1e6", "9223372036854775807KiB", "MiB"}) {
    EXPECT_FALSE(ParseBytes(text).has_value()) << text;
  }
}

TEST(Units, WritesTheShortestTextThatReadsBack) {
  EXPECT_EQ(FormatDuration(seconds(5)), "5s");
  EXPECT_EQ(FormatDuration(milliseconds(1500)), "1500ms");
  EXPECT_EQ(FormatDuration(seconds(7200)), "2h");
  EXPECT_EQ(FormatDuration(seconds(0)), "0ms");
  EXPECT_EQ(FormatBytes(8 << 20), "8MiB");
  EXPECT_EQ(FormatBytes(1000), "1000");
  EXPECT_EQ(FormatBytes(0), "0");
  for (const int64_t bytes : {1, 1023, 1024, 1025, 3 << 20}) EXPECT_EQ(ParseBytes(FormatBytes(bytes)), bytes);
}

}  // namespace
}  // namespace ks
