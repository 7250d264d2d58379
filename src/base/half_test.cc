#include "base/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace ks {
namespace {

// Straight from the format's definition.
double FromHalf(uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const double fraction = (bits & 1023) / 1024.0;
  const double magnitude = exponent == 0 ? std::ldexp(fraction, -14) : std::ldexp(1 + fraction, exponent - 15);
  return bits & 0x8000 ? -magnitude : magnitude;
}

TEST(ToHalf, GivesBackEveryHalf) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    if ((bits & 0x7C00) == 0x7C00) continue;  // infinities and NaNs
    EXPECT_EQ(ToHalf(static_cast<float>(FromHalf(static_cast<uint16_t>(bits)))), bits);
  }
}

TEST(ToHalf, RoundsToTheNearestAndHalfwayToEven) {
  for (uint32_t bits = 0; bits < 0x7BFF; ++bits) {
    const float low = static_cast<float>(FromHalf(static_cast<uint16_t>(bits)));
    const float high = static_cast<float>(FromHalf(static_cast<uint16_t>(bits + 1)));
    const float middle = (low + high) / 2;
    const uint32_t even = bits % 2 == 0 ? bits : bits + 1;
    ASSERT_EQ(ToHalf(middle), even);
    ASSERT_EQ(ToHalf(std::nextafter(middle, 0.0f)), bits);
    ASSERT_EQ(ToHalf(std::nextafter(middle, high)), bits + 1);
    ASSERT_EQ(ToHalf(-middle), even | 0x8000);
  }
}

TEST(ToHalf, KnowsItsLimits) {
  EXPECT_EQ(ToHalf(65504.0f), 0x7BFF);
  EXPECT_EQ(ToHalf(65519.9f), 0x7BFF);
  EXPECT_EQ(ToHalf(65520.0f), 0x7C00);
  EXPECT_EQ(ToHalf(-std::numeric_limits<float>::infinity()), 0xFC00);
  EXPECT_EQ(ToHalf(std::numeric_limits<float>::quiet_NaN()) & 0x7C00, 0x7C00);
  EXPECT_NE(ToHalf(std::numeric_limits<float>::quiet_NaN()) & 0x3FF, 0);
  EXPECT_EQ(ToHalf(1e-30f), 0);
}

}  // namespace
}  // namespace ks
