// Tested by tapped_graph_test.cc and backend/onnx/onnx_backend_test.cc.
#include "graph/tapped_graph.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "base/status.h"
#include "graph/layers_node.h"
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

namespace {

onnx::AttributeProto* FindAttribute(std::string_view name, onnx::NodeProto& node) {
  for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

// A node of several layers as one for each, which makes that layer's value; any other node as it is. `values` are those of
// the layers.
absl::StatusOr<std::vector<onnx::NodeProto>> NodeForEachLayer(onnx::NodeProto node,
                                                              std::span<const HiddenState> values) {
  if (node.op_type() != kLayersNode) return std::vector{std::move(node)};
  const auto last = std::ranges::find(values, node.output_size() == 1 ? node.output(0) : "", &HiddenState::value);
  const onnx::AttributeProto* const begins = FindAttribute(kLayersNodeBegins, node);
  const onnx::AttributeProto* const first_tokens = FindAttribute(kLayersNodeFirstTokens, node);
  const int tensors = begins == nullptr ? 0 : begins->ints_size();
  const int layers = tensors / kLayersNodeTensors;
  if (last == values.end() || tensors % kLayersNodeTensors != 0 || layers < 1 || last - values.begin() < layers - 1 ||
      node.input_size() == 0 || first_tokens == nullptr) {
    return DataLoss("the node ", node.name(), " is not made of whole layers");
  }
  std::vector<onnx::NodeProto> nodes;
  for (int i = 0; i < layers; ++i) {
    onnx::NodeProto& layer = nodes.emplace_back(node);
    layer.set_name((last - (layers - 1 - i))->value);
    layer.set_output(0, layer.name());
    if (i > 0) layer.set_input(0, nodes[i - 1].name());
    if (i + 1 < layers) FindAttribute(kLayersNodeFirstTokens, layer)->set_i(0);
    const auto own = begins->ints().begin() + i * kLayersNodeTensors;
    FindAttribute(kLayersNodeBegins, layer)->mutable_ints()->Assign(own, own + kLayersNodeTensors);
  }
  return nodes;
}

}  // namespace

absl::StatusOr<std::string> TapGraph(std::string_view graph, const EncoderSpec& encoder, std::string_view name) {
  onnx::ModelProto model;
  if (!model.ParseFromArray(graph.data(), static_cast<int>(graph.size()))) {
    return DataLoss(name, ": not an ONNX graph");
  }
  const std::vector<HiddenState> states = HiddenStates(encoder);
  absl::flat_hash_set<std::string> made;
  onnx::GraphProto whole;
  whole.mutable_node()->Swap(model.mutable_graph()->mutable_node());
  for (const onnx::NodeProto& node : whole.node()) {
    const auto nodes = NodeForEachLayer(node, std::span(states).subspan(1));
    if (!nodes.ok()) return WithContext(nodes.status(), name);
    for (const onnx::NodeProto& each : *nodes) {
      made.insert(each.output().begin(), each.output().end());
      *model.mutable_graph()->add_node() = each;
    }
  }
  for (const HiddenState& state : states) {
    if (!made.contains(state.value)) return DataLoss(name, ": no value ", state.value, " in the graph");
    onnx::ValueInfoProto& output = *model.mutable_graph()->add_output();
    output.set_name(state.value);
    output.mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT);
  }
  return model.SerializeAsString();
}

}  // namespace ks
