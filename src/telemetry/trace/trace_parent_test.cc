#include "telemetry/trace/trace_parent.h"

#include "base/hex.h"
#include "gtest/gtest.h"

namespace ks {
namespace {

const std::string kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string kSpan = "00f067aa0ba902b7";

TEST(ParseTraceParent, ReadsIdsAndTheSampledFlag) {
  const auto parent = ParseTraceParent("00-" + kTrace + "-" + kSpan + "-01");
  ASSERT_TRUE(parent.has_value());
  EXPECT_EQ(ToHex(parent->trace_id), kTrace);
  EXPECT_EQ(parent->span_id, (SpanId{0x00, 0xF0, 0x67, 0xAA, 0x0B, 0xA9, 0x02, 0xB7}));
  EXPECT_TRUE(parent->sampled);
  const auto sampled = [](const std::string& flags) {
    return ParseTraceParent("00-" + kTrace + "-" + kSpan + "-" + flags)->sampled;
  };
  EXPECT_FALSE(sampled("00"));
  EXPECT_FALSE(sampled("fe")) << "the other flags say nothing of sampling";
  EXPECT_TRUE(sampled("ff"));
}

TEST(ParseTraceParent, ReadsTheStartOfALaterVersion) {
  EXPECT_TRUE(ParseTraceParent("01-" + kTrace + "-" + kSpan + "-01").has_value());
  EXPECT_TRUE(ParseTraceParent("cc-" + kTrace + "-" + kSpan + "-01-what the future brings").has_value());
  EXPECT_FALSE(ParseTraceParent("cc-" + kTrace + "-" + kSpan + "-01.x").has_value());
}

TEST(ParseTraceParent, TakesNothingElse) {
  const std::string good = "00-" + kTrace + "-" + kSpan + "-01";
  EXPECT_FALSE(ParseTraceParent("").has_value());
  for (size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(ParseTraceParent(good.substr(0, size)).has_value());
  // Whatever character is another one: no digit, a capital, a byte of UTF-8, a zero byte.
  for (size_t i = 0; i < good.size(); ++i) {
    for (const char other : {'g', 'A', ' ', '\xC3', '\0', '/', ':', '`'}) {
      std::string bad = good;
      bad[i] = other;
      EXPECT_FALSE(ParseTraceParent(bad).has_value()) << bad;
    }
  }
  for (const std::string& bad :
       {good + "-more", good + "0", " " + good, good + " ", "ff-" + kTrace + "-" + kSpan + "-01",
        "00-" + std::string(32, '0') + "-" + kSpan + "-01", "00-" + kTrace + "-" + std::string(16, '0') + "-01"}) {
    EXPECT_FALSE(ParseTraceParent(bad).has_value()) << bad;
  }
}

TEST(CheckedTraceState, HandsOnPrintableTextOfBoundedSize) {
  EXPECT_EQ(CheckedTraceState("a=1,b@c=2"), "a=1,b@c=2");
  EXPECT_EQ(CheckedTraceState(std::string(512, 'a')).size(), 512u);
  for (const std::string& bad :
       {std::string(513, 'a'), std::string("a=\xC3\xA4"), std::string("a=\n"), std::string("\x7F")}) {
    EXPECT_EQ(CheckedTraceState(bad), "") << bad;
  }
}

}  // namespace
}  // namespace ks
