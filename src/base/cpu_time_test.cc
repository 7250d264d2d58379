#include "base/cpu_time.h"

#include <gtest/gtest.h>

#include <thread>

namespace ks {
namespace {

TEST(ThreadCpuTime, GrowsWithWorkAndNotWithSleep) {
  const Duration start = ThreadCpuTime();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const Duration slept = ThreadCpuTime();
  EXPECT_LT(slept - start, std::chrono::milliseconds(10));
  for (const TimePoint begin = SystemClock().Now(); ThreadCpuTime() - slept < std::chrono::milliseconds(2);) {
    ASSERT_LT(SystemClock().Now() - begin, std::chrono::seconds(60));
  }
}

}  // namespace
}  // namespace ks
