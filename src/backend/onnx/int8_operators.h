// The dense layer over bytes. operators.h says what it computes. Private to backend/onnx.
#pragma once

#include "backend/onnx/op_context.h"
#include "kernels/int8_linear.h"

namespace ks {

inline constexpr int kMostInt8Inputs = 32768;  // of kernels/int8_linear.h
inline constexpr int kMostInt8Outputs = 1 << 24;

struct Int8Linear {
  static constexpr const char* kName = "Int8Linear";
  static constexpr ONNXTensorElementDataType kInputs[] = {
      ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
      ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
      ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT};
  static constexpr size_t kRequiredInputs = 6;

  static absl::StatusOr<Int8Linear> Create(const NodeInfo& node);
  absl::Status Compute(OpContext& context) const;

  Int8Weights weights;
  Epilogue epilogue;
  bool has_residual;
};

}  // namespace ks
