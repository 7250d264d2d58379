// What the kernels' tests and benchmark share: seeded inputs, and equality to the bit.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

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

// How many values differ in a bit, e.g. -0 from +0. Arrays of different sizes differ in the rest of the longer.
inline size_t DifferentBits(const std::vector<float>& a, const std::vector<float>& b) {
  size_t count = std::max(a.size(), b.size()) - std::min(a.size(), b.size());
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) count += std::memcmp(&a[i], &b[i], sizeof(float)) != 0;
  return count;
}

}  // namespace ks
