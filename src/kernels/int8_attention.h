// Attention whose products are those of bytes: keys and values are quantised row by row and head by head, queries and
// weights (the exponentials) while they are used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/attention.h"
#include "kernels/int8_linear.h"

namespace ks {

struct KernelTable;

// One call of attention over bytes, from floats and cut into tasks as in AttentionTasks: a head of a sequence is one. Keys
// and values are quantised when the object is made, and kept in it. For runs where speed does not matter; a whole layer
// goes another way (backend/onnx/encoder_layer.h), with the same bits.
class Int8AttentionTasks {
 public:
  // As AttentionTasks; at most 65,536 tokens in a sequence.
  Int8AttentionTasks(const KernelTable& kernels, const AttentionArgs& args);

  size_t count() const { return static_cast<size_t>(args_.sequences) * args_.heads; }

  // Requires i < count().
  void Run(size_t i) const;

 private:
  // Rows of all heads as QuantizeHeadsArgs makes them.
  struct Heads {
    std::vector<uint8_t> q;
    std::vector<float> scales;
  };

  Heads Quantize(const float* x) const;

  const KernelTable& kernels_;
  const AttentionArgs args_;
  Heads keys_, values_;
};

// --- What the instruction sets implement ---

// Bytes of one row of a head.
constexpr size_t HeadRowBytes(int head_size) { return static_cast<size_t>(PaddedInputs(head_size)); }

// No scale of a key or value is smaller: rows of smaller numbers become zeros.
inline constexpr float kHeadSmallestScale = 0x1p-40f;

// For each row and head, with top the largest |x| of its D numbers:
//   scale = max(top / 127, kHeadSmallestScale), where top is not a number NaN
//   q     = 128 + round(x * (1 / scale)), rounding to the nearest, even on ties; 1 / scale is divided once
// A row that holds an infinity counts as one that holds a NaN.
//
// Shapes (T rows, N heads of D numbers):
//   x       float32 [T, N * D]                  rows `x_stride` floats apart
//   q       uint8   [N, T, HeadRowBytes(D)]     heads `head_bytes` bytes apart; the padding is 128
//   scales  float32 [N, T]                      heads `head_scales` floats apart
struct QuantizeHeadsArgs {
  const float* x = nullptr;
  size_t x_stride = 0;
  uint8_t* q = nullptr;
  size_t head_bytes = 0;
  float* scales = nullptr;
  size_t head_scales = 0;
  int rows = 0;       // T
  int heads = 0;      // N
  int head_size = 0;  // D
};

// Rows of one head as QuantizeHeadsArgs makes them.
struct HeadBytes {
  const uint8_t* q = nullptr;     // [T, HeadRowBytes(D)]
  const float* scales = nullptr;  // [T]
};

// One head of one sequence. With keys k[t, c] = scale_k[t] * (q_k[t, c] - 128), values alike, and queries quantised as keys
// are but without a smallest scale (a row of zeros stays zeros):
//   x[r, t]   = log2(e) / sqrt(D) * scale_q[r] * scale_k[t] * (q_q[r] . q_k[t]) + log2(scale_v[t])
//   w[r, t]   = 255 * 2^(x[r, t] - max over t of x[r, t])      the weight, times its value's scale
//   out[r, c] = sum over t of round(w[r, t]) * (q_v[t, c] - 128)  /  sum over t of w[r, t] / scale_v[t]
// The sums of products are exact 32-bit integers, the denominator is float32 and not rounded to bytes: weights that round
// to 0 still count in it. Scales of values are in the weights, so that a token that is looked at much but has little to say
// takes no steps from the others. Powers of two have a relative error of 8e-5, logarithms an absolute one of 3e-6.
//
// A NaN in a query's scale makes that row of `out` NaN; in a key's or value's scale, all rows.
//   q    float32 [rows, D]    rows `q_stride` floats apart
//   out  float32 [rows, D]    rows `out_stride` floats apart; must not overlap the inputs
struct Int8AttentionArgs {
  const float* q = nullptr;
  size_t q_stride = 0;
  HeadBytes keys;  // of the sequence's first token
  HeadBytes values;
  int rows = 0;       // queries, at least 1
  int tokens = 0;     // T, 1 to 65536: the sums stay within 32 bits
  int head_size = 0;  // D
  float* out = nullptr;
  size_t out_stride = 0;
  float* scratch = nullptr;  // Int8AttentionScratch(tokens, head_size) floats, on a 64-byte boundary
};

// Queries that are taken together.
inline constexpr int kInt8AttentionRows = 32;

constexpr size_t Int8AttentionScratch(int tokens, int head_size) {
  const size_t t = (static_cast<size_t>(tokens) + 15) / 16 * 16;
  const size_t d = (static_cast<size_t>(head_size) + 15) / 16 * 16;
  // Logarithms and inverse scales; keys and values of up to two bytes; scores, and weights of two bytes; queries as floats
  // and of two bytes.
  return 2 * t + t * d + t * kInt8AttentionRows * 3 / 2 + d * kInt8AttentionRows * 3 / 2;
}

}  // namespace ks
