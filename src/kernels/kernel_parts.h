// What the kernels of a set share besides its lanes. Tested by the kernels' own tests.
#pragma once

namespace ks {

// A template of the lanes, so that each set has a copy of its own (lanes_scalar.h says why).
template <typename L>
struct KernelParts {
  using F = typename L::F;
  static constexpr int kLanes = 16;

  static constexpr int Least(int a, int b) { return a < b ? a : b; }
  static constexpr int Padded(int n, int step) { return (n + step - 1) / step * step; }

  // The first `count` of 16 numbers, 1 <= count <= 16, and zeros; touches no other memory.
  static F Columns(const float* p, int count) { return count == kLanes ? L::Load(p) : L::LoadFirst(p, count); }
  static F Columns(const unsigned short* p, int count) {
    return count == kLanes ? L::LoadHalf(p) : L::LoadHalfFirst(p, count);
  }

  // body(i, n) for the columns [i, i + n) of a row, 16 at a time.
  template <typename Body>
  static void ForEach(int width, Body body) {
    int i = 0;
    for (; i + kLanes <= width; i += kLanes) body(i, kLanes);
    if (i < width) body(i, width - i);
  }
};

}  // namespace ks
