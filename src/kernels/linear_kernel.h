// out = x W^T + b over 16 lanes: tiles of rows x outputs whose accumulators stay in registers.
#pragma once

#include "kernels/linear.h"

namespace ks {

template <typename L>
struct LinearKernel {
  using F = typename L::F;
  static constexpr int kLanes = 16;
  // Rows of x that stay in the second-level cache while all of W passes by.
  static constexpr int kRowBlock = 64;

  static void Run(const LinearArgs& a) {
    for (int first = 0; first < a.rows; first += kRowBlock) {
      const int end = first + kRowBlock < a.rows ? first + kRowBlock : a.rows;
      int output = 0;
      for (; output + L::kLinearOutputs <= a.outputs; output += L::kLinearOutputs) {
        Column<L::kLinearOutputs>(a, first, end, output);
      }
      for (; output < a.outputs; ++output) Column<1>(a, first, end, output);
    }
  }

 private:
  template <int N>
  static void Column(const LinearArgs& a, int first, int end, int output) {
    int row = first;
    for (; row + L::kLinearRows <= end; row += L::kLinearRows) Tile<L::kLinearRows, N>(a, row, output);
    for (; row < end; ++row) Tile<1, N>(a, row, output);
  }

  template <int R, int N>
  static void Tile(const LinearArgs& a, int row, int output) {
    const float* x = a.x + row * a.x_stride;
    const float* w = a.weight + output * static_cast<unsigned long>(a.inputs);
    F sums[R][N];
    for (int r = 0; r < R; ++r) {
      for (int n = 0; n < N; ++n) sums[r][n] = L::Zero();
    }
    int k = 0;
    for (; k + kLanes <= a.inputs; k += kLanes) {
      Step<R, N>(a, sums, [&](const float* p) { return L::Load(p + k); }, x, w);
    }
    if (k < a.inputs) {
      Step<R, N>(a, sums, [&](const float* p) { return L::LoadFirst(p + k, a.inputs - k); }, x, w);
    }
    for (int r = 0; r < R; ++r) {
      float* out = a.out + (row + r) * a.out_stride + output;
      for (int n = 0; n < N; ++n) out[n] = L::Sum(sums[r][n]) + Bias(a, output + n);
    }
  }

  static float Bias(const LinearArgs& a, int output) {
    float bias = 0.0f;
    if (a.bias != nullptr) __builtin_memcpy(&bias, static_cast<const void*>(a.bias + output), sizeof(bias));
    return bias;
  }

  template <int R, int N, typename Load>
  static void Step(const LinearArgs& a, F (&sums)[R][N], Load load, const float* x, const float* w) {
    F rows[R];
    for (int r = 0; r < R; ++r) rows[r] = load(x + r * a.x_stride);
    for (int n = 0; n < N; ++n) {
      const F weight = load(w + n * static_cast<unsigned long>(a.inputs));
      for (int r = 0; r < R; ++r) sums[r][n] = L::Fma(rows[r], weight, sums[r][n]);
    }
  }
};

}  // namespace ks
