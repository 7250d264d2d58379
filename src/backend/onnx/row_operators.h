// The float operators that take each row on its own: dense layers, norm, activations. operators.h says what each
// computes. Private to backend/onnx.
#pragma once

#include "backend/onnx/op_context.h"

namespace ks {

struct LinearF32 {
  static constexpr const char* kName = "LinearF32";
  static constexpr ONNXTensorElementDataType kInputs[] = {
      ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT};
  static constexpr size_t kRequiredInputs = 3;

  static absl::StatusOr<LinearF32> Create(const NodeInfo& node);
  absl::Status Compute(OpContext& context) const;

  Matrix<float> weight;  // [outputs, inputs]
  const float* bias;
  bool gelu;
};

struct LayerNormRows {
  static constexpr const char* kName = "LayerNormRows";
  static constexpr ONNXTensorElementDataType kInputs[] = {
      ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
      ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT};
  static constexpr size_t kRequiredInputs = 3;

  static absl::StatusOr<LayerNormRows> Create(const NodeInfo& node);
  absl::Status Compute(OpContext& context) const;

  int64_t width;
  const float* gamma;
  const float* beta;
  float epsilon;
  bool has_residual;
};

// The pooler's activation: few rows, so on one thread.
template <bool kIsTanh>
struct Activation {
  static constexpr const char* kName = kIsTanh ? "Tanh" : "Relu";
  static constexpr ONNXTensorElementDataType kInputs[] = {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT};
  static constexpr size_t kRequiredInputs = 1;

  static absl::StatusOr<Activation> Create(const NodeInfo&) { return Activation{}; }
  absl::Status Compute(OpContext& context) const;
};
using Tanh = Activation<true>;
using Relu = Activation<false>;

}  // namespace ks
