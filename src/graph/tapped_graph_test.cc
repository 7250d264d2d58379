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

// A node of two layers, as the int8 graph has it.
onnx::ModelProto GraphOfLayers(const std::string& last, int tensors) {
  onnx::ModelProto model = Graph({"embeddings.norm", "logits"});
  onnx::NodeProto& node = *model.mutable_graph()->add_node();
  node.set_op_type("EncoderLayers");
  node.set_name(last);
  node.add_output(last);
  for (const char* input : {"embeddings.norm", "offsets", "layers"}) node.add_input(input);
  onnx::AttributeProto& first_tokens = *node.add_attribute();
  first_tokens.set_name("first_tokens");
  first_tokens.set_i(1);
  onnx::AttributeProto& begins = *node.add_attribute();
  begins.set_name("begins");
  for (int i = 0; i < tensors; ++i) begins.add_ints(100 + i);
  return model;
}

TEST(TapGraph, MakesANodeForEachLayerOfOneOfSeveral) {
  const auto tapped =
      TapGraph(GraphOfLayers("layer.2.ffn.norm", 48).SerializeAsString(), {.layers = 3}, "int8.onnx").status();
  EXPECT_THAT(std::string(tapped.message()), HasSubstr("no value layer.0.ffn.norm"));  // which is no part of it

  const auto bytes = TapGraph(GraphOfLayers("layer.1.ffn.norm", 48).SerializeAsString(), {.layers = 2}, "int8.onnx");
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  onnx::ModelProto found;
  ASSERT_TRUE(found.ParseFromString(*bytes));
  ASSERT_EQ(found.graph().node_size(), 4);
  const onnx::NodeProto& first = found.graph().node(2);
  const onnx::NodeProto& second = found.graph().node(3);
  EXPECT_EQ(first.name(), "layer.0.ffn.norm");
  EXPECT_THAT(first.output(), ElementsAre("layer.0.ffn.norm"));
  EXPECT_THAT(first.input(), ElementsAre("embeddings.norm", "offsets", "layers"));
  EXPECT_THAT(second.output(), ElementsAre("layer.1.ffn.norm"));
  EXPECT_THAT(second.input(), ElementsAre("layer.0.ffn.norm", "offsets", "layers"));
  EXPECT_EQ(first.attribute(0).i(), 0);
  EXPECT_EQ(second.attribute(0).i(), 1);
  ASSERT_EQ(first.attribute(1).ints_size(), 24);
  ASSERT_EQ(second.attribute(1).ints_size(), 24);
  EXPECT_EQ(first.attribute(1).ints(23), 123);
  EXPECT_EQ(second.attribute(1).ints(0), 124);
}

TEST(TapGraph, RefusesANodeThatIsNotOfWholeLayers) {
  for (const auto& [last, tensors] : {std::pair("layer.1.ffn.norm", 47),
                                      {"layer.1.ffn.norm", 0},
                                      {"layer.1.ffn.norm", 72},
                                      {"layer.7.ffn.norm", 24},
                                      {"embeddings.norm", 24}}) {
    const absl::Status status =
        TapGraph(GraphOfLayers(last, tensors).SerializeAsString(), {.layers = 2}, "int8.onnx").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(std::string("int8.onnx: the node ") + last + " is not made of whole layers"));
  }
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
