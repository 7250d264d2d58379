#include "telemetry/process_metrics.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>

#include "gtest/gtest.h"

namespace ks {
namespace {

TEST(ParseProcStat, ReadsFieldsBehindANameWithSpacesAndParentheses) {
  const auto stats = ParseProcStat(
      "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 7 0 1000 8192000 25 18446744073709551615 1 1\n",
      100, 4096);
  ASSERT_TRUE(stats.has_value());
  EXPECT_DOUBLE_EQ(stats->cpu_seconds, 3.0);
  EXPECT_DOUBLE_EQ(stats->threads, 7);
  EXPECT_DOUBLE_EQ(stats->start_time_seconds, 10);
  EXPECT_DOUBLE_EQ(stats->virtual_bytes, 8192000);
  EXPECT_DOUBLE_EQ(stats->resident_bytes, 25 * 4096);
}

TEST(ParseProcStat, RefusesOtherLines) {
  EXPECT_FALSE(ParseProcStat("", 100, 4096).has_value());
  EXPECT_FALSE(ParseProcStat("42 (a) S 1 2 3", 100, 4096).has_value());
}

TEST(ReadProcessStats, DescribesThisProcess) {
  const ProcessStats before = ReadProcessStats();
  EXPECT_GT(before.resident_bytes, 100'000);
  EXPECT_GT(before.virtual_bytes, before.resident_bytes);
  EXPECT_GE(before.threads, 1);
  EXPECT_GE(before.max_fds, before.open_fds);
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  EXPECT_LT(before.start_time_seconds, now + 2);
  EXPECT_GT(before.start_time_seconds, now - 3600);

  const int fd = open("/dev/null", O_RDONLY);
  EXPECT_EQ(ReadProcessStats().open_fds, before.open_fds + 1);
  close(fd);
}

TEST(OpenFds, AreTheSameBothWays) {
  const int before = OpenFdsByListing();
  const int fd = open("/dev/null", O_RDONLY);
  EXPECT_EQ(OpenFdsByListing(), before + 1);
  EXPECT_EQ(OpenFdsBySize().value_or(before + 1), before + 1);  // nothing on an older kernel
  close(fd);
}

}  // namespace
}  // namespace ks
