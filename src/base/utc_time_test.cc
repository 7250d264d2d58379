#include "base/utc_time.h"

#include "gtest/gtest.h"

namespace ks {
namespace {

std::chrono::system_clock::time_point AtMillisecond(int64_t since_epoch) {
  return std::chrono::system_clock::time_point(std::chrono::milliseconds(since_epoch));
}

TEST(FormatUtc, WritesDateTimeAndMilliseconds) {
  EXPECT_EQ(FormatUtc(AtMillisecond(0)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(FormatUtc(AtMillisecond(1769860800123)), "2026-01-31T12:00:00.123Z");
  EXPECT_EQ(FormatUtc(AtMillisecond(1709164799999)), "2024-02-28T23:59:59.999Z");
  EXPECT_EQ(FormatUtc(AtMillisecond(1709164800000)), "2024-02-29T00:00:00.000Z");
}

}  // namespace
}  // namespace ks
