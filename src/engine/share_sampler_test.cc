#include "engine/share_sampler.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <memory>
#include <vector>

#include "base/thread.h"

namespace ks {
namespace {

std::vector<int> Picks(double share, int count) {
  ShareSampler sampler(share);
  std::vector<int> picks;
  for (int i = 0; i < count; ++i) picks.push_back(sampler.Next() ? 1 : 0);
  return picks;
}

TEST(ShareSampler, TakesNoneOrAllAtTheEnds) {
  EXPECT_EQ(Picks(0, 1000), std::vector<int>(1000, 0));
  EXPECT_EQ(Picks(1, 1000), std::vector<int>(1000, 1));
}

TEST(ShareSampler, GivesTheSamePicksEachTime) {
  EXPECT_EQ(Picks(0.3, 20), (std::vector<int>{0, 1, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 1, 0, 1}));
  EXPECT_EQ(Picks(0.3, 500), Picks(0.3, 500));
}

// Of any stretch, not of the whole alone: chance would be off by 15 in a stretch of 1000 with share 1/2.
TEST(ShareSampler, TakesTheShareOfEveryStretch) {
  for (const double share : {0.001, 0.01, 0.05, 0.1, 0.25, 1 / 3.0, 0.5, 0.9}) {
    const std::vector<int> picks = Picks(share, 20000);
    for (const int stretch : {10, 100, 1000, 10000}) {
      int taken = 0;
      for (int i = 0; i < 20000; ++i) {
        taken += picks[static_cast<size_t>(i)] - (i >= stretch ? picks[static_cast<size_t>(i - stretch)] : 0);
        if (i + 1 < stretch) continue;
        ASSERT_LE(std::abs(taken - share * stretch), 4) << share << " of " << stretch << " up to " << i;
      }
    }
  }
}

// Of every k-th request as well: no period of the traffic is in step with it.
TEST(ShareSampler, IsInStepWithNoPeriodOfTheTraffic) {
  const std::vector<int> picks = Picks(0.1, 40000);
  for (const size_t period : {2, 3, 5, 7, 10, 20, 100}) {
    for (size_t phase = 0; phase < period; ++phase) {
      int taken = 0, all = 0;
      for (size_t i = phase; i < picks.size(); i += period, ++all) taken += picks[i];
      EXPECT_NEAR(static_cast<double>(taken) / all, 0.1, 0.02) << "every " << period << ". from " << phase;
    }
  }
}

TEST(ShareSampler, TakesTheShareOfAllThreadsTogether) {
  ShareSampler sampler(0.25);
  std::atomic<int> taken = 0;
  {
    std::vector<std::unique_ptr<Thread>> threads;
    for (int t = 0; t < 4; ++t) {
      threads.push_back(std::make_unique<Thread>("sampler", [&] {
        for (int i = 0; i < 1000; ++i) taken += sampler.Next() ? 1 : 0;
      }));
    }
  }
  EXPECT_NEAR(taken, 1000, 4);
}

}  // namespace
}  // namespace ks
