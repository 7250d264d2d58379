// Rows of activations into bytes, over 16 lanes. Tested by int8_linear_test.cc.
//
// The functions of int8_linear.h are not called here: other objects have them too (lanes_scalar.h).
#pragma once

#include "kernels/int8_linear.h"
#include "kernels/kernel_parts.h"
#include "kernels/lanes_math.h"

namespace ks {

template <typename L>
struct Int8RowsKernel : private KernelParts<L> {
  using F = typename L::F;
  using KernelParts<L>::kLanes;
  // Rows that stay in the first-level cache from one loop to the next.
  static constexpr int kTogether = 4;

  // Some rows at a time: what is a chain for one of them, from its range to its steps, goes on beside that of the others.
  static void QuantizeRows(const QuantizeRowsArgs& a) {
    for (int first = 0; first < a.rows; first += kTogether) {
      const int rows = Least(a.rows - first, kTogether);
      const float* const x = a.x + first * a.x_stride;
      Span spans[kTogether];
      Steps steps[kTogether];
      for (int r = 0; r < rows; ++r) spans[r] = SpanOf(x + r * a.x_stride, a.multipliers, a.inputs);
      for (int r = 0; r < rows; ++r) {
        steps[r] = StepsOf(spans[r]);
        a.scales[first + r] = steps[r].scale;
        a.zero_points[first + r] = steps[r].zero_point;
      }
      for (int r = 0; r < rows; ++r) {
        ToBytes(x + r * a.x_stride, a.multipliers, a.inputs, steps[r], a.q + (first + r) * a.q_stride);
      }
    }
  }

 private:
  using KernelParts<L>::Columns;
  using KernelParts<L>::Least;
  using KernelParts<L>::Padded;

  struct Span {
    float low, high;  // NaN where the row has one of that sign
  };
  struct Steps {
    float scale, inverse;
    int zero_point;
  };

  static F Multiplied(const float* x, const float* multipliers, int n) {
    return L::Mul(Columns(x, n), Columns(multipliers, n));
  }

  static Span SpanOf(const float* x, const float* multipliers, int inputs) {
    // Several of each, or every step would wait for the one before; no order of them can change a bit.
    constexpr int kChains = L::kWide;
    F low[kChains], high[kChains];
#pragma GCC unroll 4
    for (int c = 0; c < kChains; ++c) {
      low[c] = L::Set(-0.0f);
      high[c] = L::Zero();
    }
    const auto take = [&](int c, F v) {
      low[c] = L::TotalMin(low[c], v);
      high[c] = L::TotalMax(high[c], v);
    };
    int first = 0;
    for (; first + kChains * kLanes <= inputs; first += kChains * kLanes) {
#pragma GCC unroll 4
      for (int c = 0; c < kChains; ++c)
        take(c, Multiplied(x + first + c * kLanes, multipliers + first + c * kLanes, kLanes));
    }
    for (; first < inputs; first += kLanes) {
      take(0, Multiplied(x + first, multipliers + first, Least(inputs - first, kLanes)));
    }
#pragma GCC unroll 4
    for (int c = 1; c < kChains; ++c) {
      low[0] = L::TotalMin(low[0], low[c]);
      high[0] = L::TotalMax(high[0], high[c]);
    }
    return {L::Lowest(low[0]), L::Highest(high[0])};
  }

  static Steps StepsOf(Span span) {
    if (!(span.high - span.high == 0.0f && span.low - span.low == 0.0f)) return {__builtin_nanf(""), 0.0f, 0};
    const float range = span.high - span.low;
    if (range < kInt8SmallestRange) return {0.0f, 0.0f, 0};
    const float scale = range / 255.0f;
    return {scale, 255.0f / range, Round(-span.low / scale)};
  }

  static void ToBytes(const float* x, const float* multipliers, int inputs, Steps steps, unsigned char* q) {
    const F inverse = L::Set(steps.inverse);
    const auto value = [&](int i, int n) { return L::Mul(Multiplied(x + i, multipliers + i, n), inverse); };
    int first = 0;
    for (; first + 4 * kLanes <= inputs; first += 4 * kLanes) {
      const F four[4] = {value(first, kLanes), value(first + kLanes, kLanes), value(first + 2 * kLanes, kLanes),
                         value(first + 3 * kLanes, kLanes)};
      L::StoreBytes(q + first, four, steps.zero_point);
    }
    for (; first < inputs; first += kLanes) {
      const int n = Least(inputs - first, kLanes);
      L::StoreBytes(q + first, value(first, n), steps.zero_point, n);
    }
    for (int i = inputs; i < Padded(inputs, kInt8Inputs); ++i) q[i] = static_cast<unsigned char>(steps.zero_point);
  }

  // To even, and no more than 255: 0 <= x, which a rounding may have left above 255.
  static int Round(float x) {
    const float rounded = x + LanesMath<L>::kRoundMagic - LanesMath<L>::kRoundMagic;
    return rounded < 255.0f ? static_cast<int>(rounded) : 255;
  }
};

}  // namespace ks
