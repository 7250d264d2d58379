// The operators that know where sequences begin: embeddings, attention, first tokens. operators.h says what each
// computes. Private to backend/onnx.
#pragma once

#include <array>
#include <cstdint>

#include "backend/onnx/op_context.h"

namespace ks {

// `Table` is float (Embeddings) or uint16_t, the bits of a float16 (NormedEmbeddings).
template <typename Table>
struct BasicEmbeddings {
  static constexpr bool kIsNormed = sizeof(Table) == 2;
  static constexpr const char* kName = kIsNormed ? "NormedEmbeddings" : "Embeddings";
  static constexpr auto kInputs = [] {
    constexpr auto kInt32 = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
    constexpr auto kFloat = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
    constexpr auto kHalf = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
    if constexpr (kIsNormed) {
      return std::array{kInt32, kInt32, kHalf, kHalf, kFloat, kFloat, kInt32, kHalf};
    } else {
      return std::array{kInt32, kInt32, kFloat, kFloat, kInt32, kFloat};
    }
  }();
  static constexpr size_t kRequiredInputs = kInputs.size() - 2;

  static absl::StatusOr<BasicEmbeddings> Create(const NodeInfo& node);
  absl::Status Compute(OpContext& context) const;

  Matrix<Table> words, positions;
  Matrix<Table> types;           // no data where the model has none
  const float* gamma = nullptr;  // these three of NormedEmbeddings
  const float* beta = nullptr;
  float epsilon = 0;
};
using Embeddings = BasicEmbeddings<float>;
using NormedEmbeddings = BasicEmbeddings<uint16_t>;

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
