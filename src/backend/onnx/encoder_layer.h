// Whole layers of the int8 encoder, computed by a team. Private to backend/onnx.
#pragma once

#include <cstdint>
#include <span>

#include "base/team.h"
#include "kernels/dispatch.h"

namespace ks {

// H = hidden size, a multiple of 16 and of `heads`; F = width of the feed-forward. Views.
struct LayerWeights {
  struct Norm {
    const float* gamma = nullptr;  // [H]
    const float* beta = nullptr;   // [H]
  };

  Int8Weights qkv;               // [3H, H]: query, key, value
  Int8Weights attention_output;  // [H, H]
  Int8Weights ffn_in;            // [F, H]
  Int8Weights ffn_out;           // [H, F]
  Norm attention_norm, ffn_norm;
  float epsilon = 0;  // of both
  int heads = 0;
  bool first_tokens = false;  // only the first token of each sequence is wanted

  int hidden() const { return attention_output.outputs; }
  int inner() const { return ffn_in.outputs; }
};

// T = tokens of all sequences end to end, B = sequences, at least one, of at least one token each; offsets as in
// kernels/attention.h.
struct LayerArgs {
  const float* x = nullptr;          // [T, H]
  const int32_t* offsets = nullptr;  // [B + 1]
  int sequences = 0;                 // B
  float* out = nullptr;              // of the last layer; must not overlap x

  int tokens() const { return offsets[sequences]; }
};

// How a team divides layers; the bits are the same.
enum class LayerPlan : uint8_t {
  // Blocks of rows, handed out one by one. Each goes through the whole layer in the second-level cache of one core; the
  // members meet where all keys and values are there, and between layers.
  kRows,
  // Every member has all rows and its share of each matrix' columns, and of the heads. They meet after each matrix, and
  // each reads only its share of the weights.
  kColumns,
};

// The faster one for T tokens of a layer with H = hidden.
LayerPlan FasterPlan(IsaLevel isa, int hidden, int tokens, int members);

// One layer after another, at least one, all of the same shape; only the last may have first_tokens set. With
// a = attention(qkv(x)) inside each sequence and head, over bytes (kernels/int8_attention.h), each f a dense layer over
// quantised rows and n a norm:
//   y = attention_norm(attention_output(a) + x)
//   out = ffn_norm(ffn_out(gelu(ffn_in(y))) + y)       [T, H], or where first_tokens is set [B, H]
// What first tokens alone do not need is left out: then other rows have keys and values only.
//
// The bits are those of the kernels called one after another over all rows. Each calling thread keeps memory of about
// 10H bytes for each token of the longest run it has seen, and up to 700 KB for each member (H = 384; with tiles twice
// that) beside what attention takes (Int8AttentionScratch).
void RunLayers(const KernelTable& kernels, std::span<const LayerWeights> layers, const LayerArgs& args, LayerPlan plan,
               Team& team);

}  // namespace ks
