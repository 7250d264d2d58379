#include "graph/tapped_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "onnx.pb.h"

namespace ks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Only what TapGraph looks at.
onnx::ModelProto Graph(std::initializer_list<const char*> values) {
  onnx::ModelProto model;
  for (const char* value : values) model.mutable_graph()->add_node()->add_output(value);
  model.mutable_graph()->add_output()->set_name("logits");
  return model;
}

TEST(TapGraph, AddsTheHiddenStatesBehindTheLogits) {
  const onnx::ModelProto model = Graph({"embeddings.norm", "layer.0.ffn.norm", "layer.1.ffn.norm", "logits"});
  const auto tapped = TapGraph(model.SerializeAsString(), {.layers = 2}, "fp32.onnx");
  ASSERT_TRUE(tapped.ok()) << tapped.status();
  onnx::ModelProto found;
  ASSERT_TRUE(found.ParseFromString(*tapped));
  std::vector<std::string> outputs;
  for (const onnx::ValueInfoProto& output : found.graph().output()) outputs.push_back(output.name());
  EXPECT_THAT(outputs, ElementsAre("logits", "embeddings.norm", "layer.0.ffn.norm", "layer.1.ffn.norm"));
  EXPECT_EQ(found.graph().output(1).type().tensor_type().elem_type(), onnx::TensorProto::FLOAT);
  EXPECT_EQ(found.graph().node_size(), model.graph().node_size());
}

TEST(TapGraph, NamesTheValueThatTheGraphLacks) {
  const onnx::ModelProto model = Graph({"embeddings.norm", "layer.0.ffn.norm", "logits"});
  const absl::Status status = TapGraph(model.SerializeAsString(), {.layers = 2}, "fp32.onnx").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("fp32.onnx: no value layer.1.ffn.norm in the graph"));
}

TEST(TapGraph, RefusesWhatIsNoGraph) {
  const absl::Status status = TapGraph("this is no graph", {.layers = 1}, "fp32.onnx").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("fp32.onnx: not an ONNX graph"));
}

}  // namespace
}  // namespace ks
