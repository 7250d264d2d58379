// Tested by tapped_graph_test.cc and backend/onnx/onnx_backend_test.cc.
#include "graph/tapped_graph.h"

#include "absl/container/flat_hash_set.h"
#include "base/status.h"
#include "onnx.pb.h"

namespace ks {

std::vector<HiddenState> HiddenStates(const EncoderSpec& encoder) {
  std::vector<HiddenState> states = {{"embeddings", "embeddings.norm"}};
  for (int i = 0; i < encoder.layers; ++i) {
    const std::string layer = Cat("layer.", i);
    states.push_back({layer, layer + ".ffn.norm"});
  }
  return states;
}

absl::StatusOr<std::string> TapGraph(std::string_view graph, const EncoderSpec& encoder, std::string_view name) {
  onnx::ModelProto model;
  if (!model.ParseFromArray(graph.data(), static_cast<int>(graph.size()))) {
    return DataLoss(name, ": not an ONNX graph");
  }
  absl::flat_hash_set<std::string> made;
  for (const onnx::NodeProto& node : model.graph().node()) made.insert(node.output().begin(), node.output().end());
  for (const HiddenState& state : HiddenStates(encoder)) {
    if (!made.contains(state.value)) return DataLoss(name, ": no value ", state.value, " in the graph");
    onnx::ValueInfoProto& output = *model.mutable_graph()->add_output();
    output.set_name(state.value);
    output.mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT);
  }
  return model.SerializeAsString();
}

}  // namespace ks
