#include "measure/bench_stats.h"

#include <gtest/gtest.h>

namespace ks {
namespace {

using std::chrono::milliseconds;

std::vector<Duration> Times(int count) {
  std::vector<Duration> times;
  for (int i = count; i >= 1; --i) times.push_back(milliseconds(i));
  return times;
}

TEST(SummarizeTimes, TakesTheSmallestTimeThatEnoughDoNotExceed) {
  const LatencySummary of_200 = SummarizeTimes(Times(200));
  EXPECT_EQ(of_200.count, 200);
  EXPECT_EQ(of_200.min, milliseconds(1));
  EXPECT_EQ(of_200.p50, milliseconds(100));
  EXPECT_EQ(of_200.p90, milliseconds(180));
  EXPECT_EQ(of_200.p95, milliseconds(190));
  EXPECT_EQ(of_200.p99, milliseconds(198));
  EXPECT_EQ(of_200.max, milliseconds(200));
}

TEST(SummarizeTimes, RoundsTheRankUp) {
  const LatencySummary of_3 = SummarizeTimes(Times(3));
  EXPECT_EQ(of_3.p50, milliseconds(2));
  EXPECT_EQ(of_3.p90, milliseconds(3));
  EXPECT_EQ(of_3.p99, milliseconds(3));
}

TEST(SummarizeTimes, OfOneOrNoneIsItselfOrNothing) {
  EXPECT_EQ(SummarizeTimes(Times(1)).p50, milliseconds(1));
  EXPECT_EQ(SummarizeTimes(Times(1)).p99, milliseconds(1));
  EXPECT_EQ(SummarizeTimes({}).count, 0);
  EXPECT_EQ(SummarizeTimes({}).p99, Duration(0));
}

}  // namespace
}  // namespace ks
