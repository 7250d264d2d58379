// Our operators, which ONNX Runtime does not have: domain "kubesentiment", version 1. Private to backend/onnx.
//
// T = tokens of all sequences end to end, B = sequences, H = hidden size; rows [T, ..] may also be first tokens,
// [B, ..]. Types are float32 unless said. Inputs marked `?` may be absent, all of them together, at the node's end.
// Weights must be initializers: their shapes are checked when the session opens, what arrives is checked in each run.
//
// Of the fp32 graph (graph/serving_graph.cc says why they exist):
//   Embeddings(ids i32 [T], offsets i32 [B+1], words [V, H], positions [P, H], type_ids i32 [T]?, types [Y, H]?)
//       -> [T, H]
//     words[ids[t]] + types[type_ids[t]] + positions[t - start of its sequence]
//   PackedAttention(query [T, H], key [T, H], value [T, H], offsets i32 [B+1]; heads: int) -> [T, H]
//     softmax(q k^T / sqrt(H / heads)) v inside each sequence and head
//   FirstTokens(x [T, N], offsets i32 [B+1]) -> [B, N]
//     the row of each sequence's first token
//
// Of the int8 graph, in which every float operation is ours, so that a text has the same bits in any batch and on any
// instruction set (kernels/dispatch.h). FirstTokens belongs to it too:
//   EncoderLayers(x [T, H], offsets i32 [B+1], weights u8 [bytes]; hidden: int H, inner: int F, heads: int,
//                 epsilon: float, first_tokens: int 0 or 1, begins: ints)
//       -> [T, H], with first_tokens [B, H], those of the last layer
//     whole layers one after another, backend/onnx/encoder_layer.h. Their tensors lie in `weights`, one input, since the
//     runtime maps each, and takes each up in every run. `begins` says where, of each layer: qkv, attention_output,
//     attention_norm, ffn_in, ffn_out, ffn_norm, a dense layer the five of Int8Linear from `packed` to `multipliers`, a
//     norm gamma [H] and beta [H]. H is a multiple of 16. The bits are those of the operators below, which the layers use
//     that keep a dense layer in fp32
//   NormedEmbeddings(ids i32 [T], offsets i32 [B+1], words f16 [V, H], positions f16 [P, H], gamma [H], beta [H],
//                    type_ids i32 [T]?, types f16 [Y, H]?; epsilon: float) -> [T, H]
//     the norm (kernels/rows.h) of Embeddings, whose tables are widened exactly
//   PackedAttentionQkv(qkv [T, 3H], offsets i32 [B+1]; heads: int, int8: int 0 or 1) -> [T, H]
//     PackedAttention whose query, key and value are the columns [0, H), [H, 2H) and [2H, 3H); with int8 over bytes,
//     kernels/int8_attention.h
//   Int8Linear(x [T, K], packed u8 [bytes], scales [N16], column_sums i32 [N16], bias [N16], multipliers [K],
//              residual [T, N]?; inputs: int K, outputs: int N, gelu: int 0 or 1) -> [T, N]
//     kernels/int8_linear.h over rows of x that are quantised on the way: f(..) + residual. `packed` holds
//     PackedInt8Bytes(N, K) signed bytes and begins at a multiple of 64 in its file; N16 = PaddedOutputs(N)
//   LinearF32(x [T, K], weight [N, K], bias [N]; gelu: int 0 or 1) -> [T, N]
//     kernels/linear.h, for what is not quantised
//   LayerNormRows(x [T, H], gamma [H], beta [H], residual [T, H]?; epsilon: float) -> [T, H]
//     the norm of x + residual, kernels/rows.h. Where Int8Linear adds the residual the bits are the same
//   Classifier(x [B, H], pooler weight [P, H], its bias [P], weight [C, P], bias [C]; tanh: int 0 or 1) -> [B, C]
//     LinearF32, tanh or relu, LinearF32
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "backend/onnx/op_context.h"
#include "backend/onnx/ort.h"

namespace ks {

// The domain "kubesentiment" for one session. Add domain() to the session's options; must outlive the session.
class Operators {
 public:
  static absl::StatusOr<std::unique_ptr<Operators>> Create(const OperatorSettings& settings);
  ~Operators();
  Operators(const Operators&) = delete;
  Operators& operator=(const Operators&) = delete;

  OrtCustomOpDomain* domain() const { return domain_.get(); }

 private:
  struct Ops;
  Operators();

  std::unique_ptr<Ops> ops_;
  OrtHandle<OrtCustomOpDomain> domain_;  // refers to ops_
};

}  // namespace ks
