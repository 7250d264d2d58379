// Whole layers as one operator. operators.h says what it computes. Private to backend/onnx.
#pragma once

#include <iterator>
#include <vector>

#include "backend/onnx/encoder_layer.h"
#include "backend/onnx/op_context.h"
#include "graph/layers_node.h"

namespace ks {

struct EncoderLayers {
  static constexpr const char* kName = kLayersNode;
  static constexpr ONNXTensorElementDataType kInputs[] = {
      ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8};
  static constexpr size_t kRequiredInputs = std::size(kInputs);

  static absl::StatusOr<EncoderLayers> Create(const NodeInfo& node);
  absl::Status Compute(OpContext& context) const;

  std::vector<LayerWeights> layers;
};

}  // namespace ks
