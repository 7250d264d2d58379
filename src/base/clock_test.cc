#include "base/clock.h"

#include <gtest/gtest.h>

namespace ks {
namespace {

TEST(AddSaturated, StopsAtTheEndOfTime) {
  const TimePoint time{std::chrono::seconds(5)};
  EXPECT_EQ(AddSaturated(time, std::chrono::seconds(2)), TimePoint(std::chrono::seconds(7)));
  EXPECT_EQ(AddSaturated(time, Duration::max()), TimePoint::max());
  EXPECT_EQ(AddSaturated(time, Duration::max() - std::chrono::seconds(5)), TimePoint::max()) << "just fits";
  EXPECT_EQ(AddSaturated(TimePoint::max(), Duration(0)), TimePoint::max());
}

}  // namespace
}  // namespace ks
