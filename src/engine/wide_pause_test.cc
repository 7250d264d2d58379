#include "engine/wide_pause.h"

#include <gtest/gtest.h>

namespace ks {
namespace {

using std::chrono::milliseconds;

constexpr TimePoint kStart{std::chrono::seconds(1)};

TEST(WidePause, IsOverFromTheBeginning) { EXPECT_TRUE(WidePause().IsOver(kStart)); }

TEST(WidePause, BeginsWhereARunStoodStillMoreThanItWorked) {
  WidePause pause;
  pause.AddRun(milliseconds(3), milliseconds(2), kStart);
  EXPECT_TRUE(pause.IsOver(kStart));
  pause.AddRun(milliseconds(8), milliseconds(2), kStart);
  EXPECT_FALSE(pause.IsOver(kStart + WidePause::kShortest - milliseconds(1)));
  EXPECT_TRUE(pause.IsOver(kStart + WidePause::kShortest));
}

TEST(WidePause, TakesNoShortWaitForOne) {
  WidePause pause;
  pause.AddRun(std::chrono::microseconds(250), std::chrono::microseconds(60), kStart);
  EXPECT_TRUE(pause.IsOver(kStart));
}

TEST(WidePause, GrowsToItsLongestAndShrinksAgain) {
  WidePause pause;
  TimePoint now = kStart;
  const auto held_up = [&] { pause.AddRun(milliseconds(10), milliseconds(1), now); };
  const auto paused_for = [&](Duration expected) {
    EXPECT_FALSE(pause.IsOver(now + expected - milliseconds(1)));
    EXPECT_TRUE(pause.IsOver(now + expected));
  };
  Duration expected = WidePause::kShortest;
  for (int i = 0; i < 10; ++i) {
    held_up();
    paused_for(expected);
    now += expected;
    expected = std::min(2 * expected, WidePause::kLongest);
  }
  EXPECT_EQ(expected, WidePause::kLongest);

  pause.AddRun(milliseconds(1), milliseconds(1), now);
  EXPECT_TRUE(pause.IsOver(now));
  held_up();
  paused_for(WidePause::kLongest / 2);
  for (int i = 0; i < 10; ++i) pause.AddRun(milliseconds(1), milliseconds(1), now);
  held_up();
  paused_for(WidePause::kShortest);
}

}  // namespace
}  // namespace ks
