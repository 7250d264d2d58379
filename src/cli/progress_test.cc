#include "cli/progress.h"

#include "gtest/gtest.h"

namespace ks {
namespace {
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Progress, ShowsShareRowsAndRate) {
  EXPECT_EQ(ProgressLine(50, 100, 1000, seconds(2)), " 50% [############            ] 1000 rows, 500 texts/s");
  EXPECT_EQ(ProgressLine(100, 100, 1000, seconds(2)), "100% [########################] 1000 rows, 500 texts/s");
  EXPECT_EQ(ProgressLine(150, 100, 1, seconds(1)), "100% [########################] 1 rows, 1 texts/s");
  EXPECT_EQ(ProgressLine(50, 0, 10, seconds(0)), "10 rows, 0 texts/s");
}

// What the bar writes while `steps` are taken.
std::string Drawn(bool enabled, std::initializer_list<Duration> steps) {
  ManualClock clock;
  testing::internal::CaptureStderr();
  {
    ProgressBar bar(enabled, clock);
    for (const Duration step : steps) {
      clock.Advance(step);
      bar.Update(1, 2, 3);
    }
  }
  return testing::internal::GetCapturedStderr();
}

size_t Count(std::string_view text, std::string_view part) {
  size_t count = 0;
  for (size_t pos = text.find(part); pos != std::string_view::npos; pos = text.find(part, pos + 1)) ++count;
  return count;
}

TEST(Progress, AppearsAfterASecondAndIsTakenAway) {
  EXPECT_EQ(Drawn(true, {milliseconds(500), milliseconds(499)}), "");
  const std::string drawn = Drawn(true, {milliseconds(500), milliseconds(500)});
  EXPECT_EQ(Count(drawn, "50%"), 1u) << drawn;
  EXPECT_TRUE(drawn.ends_with("\r\033[K"));
}

TEST(Progress, IsDrawnFiveTimesASecondAtMost) {
  EXPECT_EQ(Count(Drawn(true, {seconds(1), milliseconds(100), milliseconds(100), milliseconds(100)}), "50%"), 2u);
}

TEST(Progress, StaysSilentWhereThereIsNoTerminal) { EXPECT_EQ(Drawn(false, {seconds(1), seconds(1)}), ""); }

}  // namespace
}  // namespace ks
