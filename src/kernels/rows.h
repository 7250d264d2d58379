// Operators that work row by row: embeddings, layer norm, softmax. All arrays are row-major and dense.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ks {

// out = (s - mean(s)) / sqrt(var(s) + eps) * gamma + beta over each row of s = x + residual; var is the biased
// variance, taken in a second pass.
//   x, residual, out  float32 [rows, width]  residual may be null; out may be x or residual
//   gamma, beta       float32 [width]
struct LayerNormArgs {
  const float* x = nullptr;
  const float* residual = nullptr;
  const float* gamma = nullptr;
  const float* beta = nullptr;
  float eps = 0;
  float* out = nullptr;
  int rows = 0;
  int width = 0;
};

// out = exp(x - max(x)) / sum(exp(x - max(x))) over each row.
//   x, out  float32 [rows, width]  may be the same array
struct SoftmaxArgs {
  const float* x = nullptr;
  float* out = nullptr;
  int rows = 0;
  int width = 0;
};

// out[t] = word[ids[t]] + type[type_ids[t]] + position[positions[t]], added in this order in float32.
//   ids, type_ids, positions  int32   [rows]         rows of the tables; not checked
//   word, type, position      Table   [.., width]    float32 or float16 bits; type may be null (no such table)
//   out                       float32 [rows, width]
// type_ids may be null: all 0.
template <typename Table>
struct BasicEmbedArgs {
  const int32_t* ids = nullptr;
  const int32_t* type_ids = nullptr;
  const int32_t* positions = nullptr;
  const Table* word = nullptr;
  const Table* type = nullptr;
  const Table* position = nullptr;
  float* out = nullptr;
  int rows = 0;
  int width = 0;
};
using EmbedArgs = BasicEmbedArgs<float>;
using EmbedHalfArgs = BasicEmbedArgs<uint16_t>;

}  // namespace ks
