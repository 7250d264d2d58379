// The operators that know where sequences begin: embeddings, attention, first tokens. operators.h says what each
// computes. Private to backend/onnx.
#pragma once

#include <cstdint>

#include "backend/onnx/op_context.h"

namespace ks {

// `Table` is float (Embeddings) or uint16_t, the bits of a float16 (EmbeddingsHalf).
template <typename Table>
struct BasicEmbeddings {
  static constexpr bool kHalf = sizeof(Table) == 2;
  static constexpr const char* kName = kHalf ? "EmbeddingsHalf" : "Embeddings";
  static constexpr ONNXTensorElementDataType kTable =
      kHalf ? ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16 : ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  static constexpr ONNXTensorElementDataType kInputs[] = {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32,
                                                          ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32,
                                                          kTable,
                                                          kTable,
                                                          ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32,
                                                          kTable};
  static constexpr size_t kRequiredInputs = 4;

  static absl::StatusOr<BasicEmbeddings> Create(const NodeInfo& node);
  absl::Status Compute(OpContext& context) const;

  Matrix<Table> words, positions;
  Matrix<Table> types;  // no data where the model has none
};
using Embeddings = BasicEmbeddings<float>;
using EmbeddingsHalf = BasicEmbeddings<uint16_t>;

struct PackedAttention {
  static constexpr const char* kName = "PackedAttention";
  static constexpr ONNXTensorElementDataType kInputs[] = {
      ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
      ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32};
  static constexpr size_t kRequiredInputs = 4;

  static absl::StatusOr<PackedAttention> Create(const NodeInfo& node);
  absl::Status Compute(OpContext& context) const;

  int heads;
};

struct PackedAttentionQkv {
  static constexpr const char* kName = "PackedAttentionQkv";
  static constexpr ONNXTensorElementDataType kInputs[] = {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
                                                          ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32};
  static constexpr size_t kRequiredInputs = 2;

  static absl::StatusOr<PackedAttentionQkv> Create(const NodeInfo& node);
  absl::Status Compute(OpContext& context) const;

  int heads;
  bool int8;
};

struct FirstTokens {
  static constexpr const char* kName = "FirstTokens";
  static constexpr ONNXTensorElementDataType kInputs[] = {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
                                                          ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32};
  static constexpr size_t kRequiredInputs = 2;

  static absl::StatusOr<FirstTokens> Create(const NodeInfo&) { return FirstTokens{}; }
  absl::Status Compute(OpContext& context) const;
};

}  // namespace ks
