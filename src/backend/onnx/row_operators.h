// The float operators that take each row on its own: dense layers, norm, activations. operators.h says what each
// computes. Private to backend/onnx.
#pragma once

#include "backend/onnx/op_context.h"

namespace ks {

// A dense layer's weights.
struct LinearWeights {
  // The node's inputs `index` and the next one; `outputs` and `inputs` as NodeInfo::Floats takes them.
  static absl::StatusOr<LinearWeights> Create(const NodeInfo& node, size_t index, int64_t outputs, int64_t inputs);
  // x [T, K] to out [T, N].
  void Apply(OpContext& context, const Matrix<float>& x, bool gelu, float* out) const;

  Matrix<float> weight;  // [N, K]
  const float* bias = nullptr;
};

struct LinearF32 {
  static constexpr const char* kName = "LinearF32";
  static constexpr ONNXTensorElementDataType kInputs[] = {
      ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT};
  static constexpr size_t kRequiredInputs = 3;

  static absl::StatusOr<LinearF32> Create(const NodeInfo& node);
  absl::Status Compute(OpContext& context) const;

  LinearWeights weights;
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

struct Classifier {
  static constexpr const char* kName = "Classifier";
  static constexpr ONNXTensorElementDataType kInputs[] = {
      ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
      ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT};
  static constexpr size_t kRequiredInputs = 5;

  static absl::StatusOr<Classifier> Create(const NodeInfo& node);
  absl::Status Compute(OpContext& context) const;

  LinearWeights pooler, classifier;
  bool is_tanh;
};

}  // namespace ks
