#include "base/step_times.h"

#include <gtest/gtest.h>

namespace ks {
namespace {

using std::chrono::milliseconds;

TEST(StepTimes, AddUpToAllOfTheTime) {
  const TimePoint began(milliseconds(100));
  StepTimes steps(began);
  EXPECT_EQ(steps.last(), began);
  steps.Done("config", began + milliseconds(2));
  steps.Done("session", began + milliseconds(5));
  steps.Done("self-check", began + milliseconds(6));
  steps.Done("session", began + milliseconds(9));  // a second one of its kind
  steps.Done("listen", began + milliseconds(10));

  ASSERT_EQ(steps.steps().size(), 4u);
  EXPECT_EQ(steps.steps()[1].name, "session");
  EXPECT_EQ(steps.steps()[1].duration, milliseconds(6));
  Duration sum(0);
  for (const StepTimes::Step& step : steps.steps()) sum += step.duration;
  EXPECT_EQ(sum, steps.last() - steps.began());
}

}  // namespace
}  // namespace ks
