#include "engine/wide_gate.h"

#include <gtest/gtest.h>

#include <random>

namespace ks {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr TimePoint kStart{std::chrono::seconds(1)};

TEST(WideGate, IsOpenFromTheBeginning) { EXPECT_TRUE(WideGate().IsOpen(kStart)); }

TEST(WideGate, ClosesAfterTwoRunsThatStoodStillMoreThanTheyWorked) {
  WideGate gate;
  gate.AddRun(milliseconds(3), milliseconds(2), kStart);
  gate.AddRun(milliseconds(8), milliseconds(2), kStart);
  EXPECT_TRUE(gate.IsOpen(kStart)) << "one may be chance";
  gate.AddRun(milliseconds(3), milliseconds(2), kStart);
  gate.AddRun(milliseconds(8), milliseconds(2), kStart);
  gate.AddRun(milliseconds(8), milliseconds(2), kStart);
  EXPECT_FALSE(gate.IsOpen(kStart + WideGate::kShortestPause - milliseconds(1)));
  EXPECT_TRUE(gate.IsOpen(kStart + WideGate::kShortestPause));
}

TEST(WideGate, TakesNoShortWaitForOne) {
  WideGate gate;
  for (int i = 0; i < 3; ++i) gate.AddRun(microseconds(250), microseconds(60), kStart);
  EXPECT_TRUE(gate.IsOpen(kStart));
}

TEST(WideGate, ItsPausesGrowAndShrinkAgain) {
  WideGate gate;
  TimePoint now = kStart;
  const auto held_up = [&] { gate.AddRun(milliseconds(10), milliseconds(1), now); };
  const auto paused_for = [&](Duration expected) {
    EXPECT_FALSE(gate.IsOpen(now + expected - milliseconds(1)));
    EXPECT_TRUE(gate.IsOpen(now + expected));
  };
  held_up();
  Duration expected = WideGate::kShortestPause;
  for (int i = 0; i < 10; ++i) {  // one run after each pause is enough
    held_up();
    paused_for(expected);
    now += expected;
    expected = std::min(2 * expected, WideGate::kLongestPause);
  }
  EXPECT_EQ(expected, WideGate::kLongestPause);

  gate.AddRun(milliseconds(1), milliseconds(1), now);
  EXPECT_TRUE(gate.IsOpen(now));
  held_up();
  held_up();
  paused_for(WideGate::kLongestPause / 2);
  for (int i = 0; i < 10; ++i) gate.AddRun(milliseconds(1), milliseconds(1), now);
  held_up();
  held_up();
  paused_for(WideGate::kShortestPause);
}

TEST(WideGate, ClosesWhereTextsOftenHaveCompanyAndOpensAgain) {
  WideGate gate;
  std::mt19937 random(1);
  const auto texts = [&](int count, unsigned percent) {
    for (int i = 0; i < count; ++i) gate.AddLoneText(random() % 100 < percent);
  };
  texts(200, 5);
  EXPECT_TRUE(gate.IsOpen(kStart));
  texts(200, 70);
  EXPECT_FALSE(gate.IsOpen(kStart));
  texts(200, 5);
  EXPECT_TRUE(gate.IsOpen(kStart));
  texts(5, 100);
  EXPECT_TRUE(gate.IsOpen(kStart)) << "a handful says little";
}

}  // namespace
}  // namespace ks
