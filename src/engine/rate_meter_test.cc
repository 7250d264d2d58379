#include "engine/rate_meter.h"

#include <gtest/gtest.h>

namespace ks {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RateMeter, KnowsNothingBeforeTheFirstRun) {
  const RateMeter meter(512, 2);
  EXPECT_EQ(meter.tokens_per_second(), 0);
  EXPECT_EQ(meter.TimeFor(1'000'000), Duration::zero());
}

TEST(RateMeter, CountsAllWorkers) {
  RateMeter meter(512, 4);
  meter.AddRun(500, milliseconds(50));
  EXPECT_DOUBLE_EQ(meter.tokens_per_second(), 40'000);
  EXPECT_EQ(meter.TimeFor(80'000), seconds(2));
}

TEST(RateMeter, FollowsFullRunsUpAndDown) {
  RateMeter meter(512, 1);
  meter.AddRun(512, milliseconds(512));
  for (int i = 0; i < 40; ++i) meter.AddRun(512, milliseconds(64));
  EXPECT_NEAR(meter.tokens_per_second(), 8000, 10);
  for (int i = 0; i < 40; ++i) meter.AddRun(512, milliseconds(256));
  EXPECT_NEAR(meter.tokens_per_second(), 2000, 10);
}

TEST(RateMeter, IsNotLoweredBySmallRunsButRaised) {
  RateMeter meter(512, 1);
  meter.AddRun(512, milliseconds(512));
  for (int i = 0; i < 40; ++i) meter.AddRun(5, milliseconds(20));
  EXPECT_DOUBLE_EQ(meter.tokens_per_second(), 1000);
  meter.AddRun(5, milliseconds(1));
  EXPECT_DOUBLE_EQ(meter.tokens_per_second(), 1800);
}

TEST(RateMeter, SaysHowLongAQueueTakesFromTheFirstFullRunOn) {
  RateMeter meter(512, 2);
  meter.AddRun(8, milliseconds(1));
  EXPECT_DOUBLE_EQ(meter.tokens_per_second(), 16'000);
  EXPECT_EQ(meter.TimeFor(1'000'000), Duration::zero()) << "a short text is no measure of a queue";
  meter.AddRun(256, milliseconds(4));
  EXPECT_DOUBLE_EQ(meter.tokens_per_second(), 128'000) << "not a little more than before";
  EXPECT_EQ(meter.TimeFor(256'000), seconds(2));
}

TEST(RateMeter, IsNotLoweredByAWideRun) {
  RateMeter meter(512, 4);
  meter.AddRun(256, milliseconds(2), true);
  EXPECT_DOUBLE_EQ(meter.tokens_per_second(), 128'000) << "it had the cores of all workers";
  EXPECT_EQ(meter.TimeFor(1000), Duration::zero());
  meter.AddRun(512, milliseconds(8));
  EXPECT_DOUBLE_EQ(meter.tokens_per_second(), 256'000);
  for (int i = 0; i < 40; ++i) meter.AddRun(512, milliseconds(4), true);
  EXPECT_DOUBLE_EQ(meter.tokens_per_second(), 256'000);
}

TEST(RateMeter, IgnoresRunsWithoutADuration) {
  RateMeter meter(512, 1);
  meter.AddRun(512, Duration::zero());
  EXPECT_EQ(meter.tokens_per_second(), 0);
}

TEST(RateMeter, NeverPromisesMoreThanAnHour) {
  RateMeter meter(512, 1);
  meter.AddRun(512, seconds(512'000));
  EXPECT_EQ(meter.TimeFor(INT64_MAX), seconds(3600));
}

}  // namespace
}  // namespace ks
