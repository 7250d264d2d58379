// A whole layer as one operator. operators.h says what it computes. Private to backend/onnx.
#pragma once

#include <iterator>

#include "backend/onnx/encoder_layer.h"
#include "backend/onnx/op_context.h"

namespace ks {

struct EncoderLayer {
  static constexpr const char* kName = "EncoderLayer";
  static constexpr ONNXTensorElementDataType kFloat = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  static constexpr ONNXTensorElementDataType kInt32 = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
  static constexpr ONNXTensorElementDataType kUint8 = ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
  static constexpr ONNXTensorElementDataType kInputs[] = {
      kFloat, kInt32,                          // x, offsets
      kUint8, kFloat, kInt32, kFloat, kFloat,  // qkv: packed, scales, column_sums, bias, multipliers
      kUint8, kFloat, kInt32, kFloat, kFloat,  // attention_output
      kFloat, kFloat,                          // attention_norm: gamma, beta
      kUint8, kFloat, kInt32, kFloat, kFloat,  // ffn_in
      kUint8, kFloat, kInt32, kFloat, kFloat,  // ffn_out
      kFloat, kFloat};                         // ffn_norm
  static constexpr size_t kRequiredInputs = std::size(kInputs);

  static absl::StatusOr<EncoderLayer> Create(const NodeInfo& node);
  absl::Status Compute(OpContext& context) const;

  LayerWeights weights;
};

}  // namespace ks
