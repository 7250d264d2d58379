// Dense layers.
#pragma once

#include <cstddef>

namespace ks {

// out = x W^T + b in float32.
//
// Shapes (T rows, K inputs, N outputs; row-major):
//   x       [T, K]  rows `x_stride` floats apart (>= K)
//   weight  [N, K]  as in Hugging Face checkpoints
//   bias    [N]     or null for none
//   out     [T, N]  rows `out_stride` floats apart (>= N); must not overlap the inputs
// Each output is the sum over 16 lanes (lane l adds x[k] * w[k] for k = l, l + 16, ...), added up in one tree, plus
// bias: its bits depend on its row of x and its row of W alone. So a caller may split T or N over threads by moving the
// pointers.
struct LinearArgs {
  const float* x = nullptr;
  size_t x_stride = 0;
  const float* weight = nullptr;
  const float* bias = nullptr;
  float* out = nullptr;
  size_t out_stride = 0;
  int rows = 0;     // T
  int inputs = 0;   // K
  int outputs = 0;  // N
};

}  // namespace ks
