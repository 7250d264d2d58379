// What the kernels' tests and benchmark share: seeded inputs, and the instruction sets to walk.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/dispatch.h"

namespace ks {

// A small generator of our own: the standard library's distributions differ between implementations.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2 + 1) {}

  uint32_t Next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state_ >> 32);
  }
  // Uniform in [0, n).
  int Below(int n) { return static_cast<int>(Next() % static_cast<uint32_t>(n)); }
  // Uniform in [-scale, scale).
  float Float(float scale = 1.0f) { return (static_cast<float>(Next() >> 8) * 0x1p-23f - 1.0f) * scale; }
  std::vector<float> Floats(size_t n, float scale = 1.0f) {
    std::vector<float> values(n);
    for (float& value : values) value = Float(scale);
    return values;
  }

 private:
  uint64_t state_;
};

// How many values differ in a bit, e.g. -0 from +0.
inline size_t DifferentBits(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  size_t count = 0;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) count += std::memcmp(&a[i], &b[i], sizeof(float)) != 0;
  return count;
}

// Walks every instruction set that this machine has: TEST_P(Suite, ...) with KS_FOR_EACH_ISA(Suite).
class IsaTest : public testing::TestWithParam<IsaLevel> {
 protected:
  const KernelTable& kernels() const { return Kernels(GetParam()); }
  const KernelTable& reference() const { return Kernels(IsaLevel::kScalar); }
};

inline std::string IsaTestName(const testing::TestParamInfo<IsaLevel>& info) {
  return std::string(IsaName(info.param));
}

}  // namespace ks
