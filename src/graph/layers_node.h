// The node that stands for whole layers in the int8 graph, as backend/onnx/operators.h describes it.
#pragma once

namespace ks {

inline constexpr char kLayersNode[] = "EncoderLayers";
// Where each layer's tensors begin in the bytes of all.
inline constexpr char kLayersNodeBegins[] = "begins";
inline constexpr int kLayersNodeTensors = 24;  // of each layer: four dense layers of five, two norms of two
// 1 where its last layer goes on with first tokens alone.
inline constexpr char kLayersNodeFirstTokens[] = "first_tokens";

}  // namespace ks
