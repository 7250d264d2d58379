// Shows the hidden states inside a graph that was emitted here, for comparing two backends layer by layer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/classifier_spec.h"

namespace ks {

// A hidden state: its name among the taps of Backend::RunTraced, and the value of the serving and int8 graphs.
struct HiddenState {
  std::string tap;    // "embeddings", "layer.0", ..
  std::string value;  // float32 [T, H]; of the last layer [B, H], first tokens alone
};

// In the order of the computation.
std::vector<HiddenState> HiddenStates(const EncoderSpec& encoder);

// `graph`, a serialised onnx.ModelProto, with the hidden states as outputs behind its own. A node of several layers
// becomes one for each. Weights stay where they are. `name` begins the messages. Errors: kDataLoss where it is no ONNX
// graph or makes no such value.
absl::StatusOr<std::string> TapGraph(std::string_view graph, const EncoderSpec& encoder, std::string_view name);

}  // namespace ks
