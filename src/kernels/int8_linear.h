// Dense layers over bytes: rows of activations quantised on their own, weights quantised for each output, exact sums.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ks {

// Outputs of one block of packed weights, and inputs that one 32-bit lane holds.
inline constexpr int kInt8Outputs = 16;
inline constexpr int kInt8Inputs = 4;

constexpr int PaddedOutputs(int outputs) { return (outputs + kInt8Outputs - 1) / kInt8Outputs * kInt8Outputs; }
constexpr int PaddedInputs(int inputs) { return (inputs + kInt8Inputs - 1) / kInt8Inputs * kInt8Inputs; }

// Rows this narrow count as zeros: 255 / range would overflow.
inline constexpr float kInt8SmallestRange = 0x1p-120f;

// v[k] = x[k] * multipliers[k] is about scale * (q[k] - zero_point) within each row. With low = min(0, min v) and
// high = max(0, max v):
//   scale      = (high - low) / 255      range below kInt8SmallestRange: 0, and so are zero_point and q
//   zero_point = round(-low / scale)     in [0, 255]
//   q[k]       = clamp(round(v[k] * (1 / scale)) + zero_point, 0, 255)
// rounding to the nearest, even on ties; 1 / scale is 255 / (high - low), divided once. Zero is exact. A row that holds
// a NaN or an infinity in v gets the scale NaN, one whose range overflows the scale infinity and the sums 0: both show as
// NaN in every output.
//
// Shapes (T rows, K inputs, row-major):
//   x            float32 [T, K]                rows `x_stride` floats apart (>= K)
//   multipliers  float32 [K]                   of the layer, Int8Weights::multipliers
//   q            uint8   [T, PaddedInputs(K)]  rows `q_stride` bytes apart; the padding becomes zero_point
//   scales       float32 [T]
//   zero_points  int32   [T]
struct QuantizeRowsArgs {
  const float* x = nullptr;
  size_t x_stride = 0;
  const float* multipliers = nullptr;
  uint8_t* q = nullptr;
  size_t q_stride = 0;
  float* scales = nullptr;
  int32_t* zero_points = nullptr;
  int rows = 0;    // T
  int inputs = 0;  // K
};

// A matrix W [N, K] (Hugging Face's order) as the kernels read it; one layout for all instruction sets, made once by
// PackInt8Weights and used where it lies in the package's file. N16 = PaddedOutputs(N), K4 = PaddedInputs(K).
//   packed       int8    [N16 / 16, K4 / 4, 16, 4]  values -127 to 127; the padding is 0. [16, 4] is one 64-byte line
//                                                   and 16 such lines are one AMX tile
//   scales       float32 [N16]  the padding is 0
//   column_sums  int32   [N16]  sum over k of w[n, k]
//   bias         float32 [N16]  or null for none
//   multipliers  float32 [K]    of the inputs: W[n, k] is about scales[n] * w[n, k] * multipliers[k]. They level out
//                               inputs of unlike sizes, at the weights' expense (convert/migrate.h); 1 where none are
//                               wanted
// `packed` lies on a 64-byte boundary.
struct Int8Weights {
  const int8_t* packed = nullptr;
  const float* scales = nullptr;
  const int32_t* column_sums = nullptr;
  const float* bias = nullptr;
  const float* multipliers = nullptr;
  int inputs = 0;   // K, at most 32768: the sums stay within 32 bits, their columns' within 22
  int outputs = 0;  // N
};

constexpr size_t PackedInt8Bytes(int outputs, int inputs) {
  return static_cast<size_t>(PaddedOutputs(outputs)) * static_cast<size_t>(PaddedInputs(inputs));
}

// Packs w int8 [outputs, inputs] into `packed` [PackedInt8Bytes] and writes its column sums [PaddedOutputs].
void PackInt8Weights(const int8_t* w, int outputs, int inputs, int8_t* packed, int32_t* column_sums);

// How many floats apart rows of results should begin: a cache line more than they take. The widths of encoders are
// multiples of 512 bytes, and rows that far apart share a few sets of the first-level cache.
constexpr size_t SpreadStride(int outputs) { return static_cast<size_t>(PaddedOutputs(outputs)) + kInt8Outputs; }

// What a kernel does to its sums before it writes them: nothing, or coarse_gelu (dispatch.h).
enum class Epilogue : uint8_t { kNone, kGelu };

// out[t, n] = f((sum over k of q[t, k] * w[n, k]  -  zero_points[t] * column_sums[n]) * (scales[t] * scales_w[n])
//               + bias[n]) + residual[t, n]
//
// The bracketed sum is an exact 32-bit integer, converted to float32 (round to even); the product of the two scales is
// rounded once, and bias is added by fused multiply-add. Where there is no residual, nothing is added.
//   q, scales, zero_points  as QuantizeRowsArgs makes them
//   residual  float32 [T, N]  rows `residual_stride` floats apart; null for none; may be `out`
//   out       float32 [T, N]  rows `out_stride` floats apart (>= N); exactly N of each row are written
// A caller may split T over threads by moving the pointers, and N at multiples of 16.
struct Int8LinearArgs {
  const uint8_t* q = nullptr;
  size_t q_stride = 0;
  const float* scales = nullptr;
  const int32_t* zero_points = nullptr;
  Int8Weights weights;
  Epilogue epilogue = Epilogue::kNone;
  const float* residual = nullptr;
  size_t residual_stride = 0;
  float* out = nullptr;
  size_t out_stride = 0;
  int rows = 0;  // T
};

}  // namespace ks
