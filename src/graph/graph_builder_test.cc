#include "graph/graph_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "onnx.pb.h"

namespace ks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr OperatorSet kSets[] = {{"", 14}, {"kubesentiment", 1}};
const std::vector<int64_t> kShape = {2, 3};

TensorPlacement OneTensor() { return {{"w", {.file = "weights.bin", .offset = 128, .bytes = 24, .shape = {2, 3}}}}; }

onnx::ModelProto Parse(const GraphBuilder& graph) {
  onnx::ModelProto model;
  const absl::StatusOr<std::string> bytes = graph.Serialise();
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_TRUE(bytes.ok() && model.ParseFromString(*bytes));
  return model;
}

TEST(GraphBuilder, WritesHeaderInputsAndOutputs) {
  const TensorPlacement placement;
  GraphBuilder graph("name", 7, kSets, placement);
  graph.Input("ids", ElementType::kInt64, std::vector<Dimension>{"batch", int64_t{4}});
  graph.Output("y", ElementType::kFloat, {});
  const onnx::ModelProto model = Parse(graph);

  EXPECT_EQ(model.ir_version(), 7);
  EXPECT_EQ(model.graph().name(), "name");
  ASSERT_EQ(model.opset_import_size(), 2);
  EXPECT_EQ(model.opset_import(1).domain(), "kubesentiment");
  const onnx::TypeProto::Tensor& ids = model.graph().input(0).type().tensor_type();
  EXPECT_EQ(ids.elem_type(), onnx::TensorProto::INT64);
  EXPECT_EQ(ids.shape().dim(0).dim_param(), "batch");
  EXPECT_EQ(ids.shape().dim(1).dim_value(), 4);
  EXPECT_TRUE(model.graph().output(0).type().tensor_type().has_shape());
}

TEST(GraphBuilder, KnowsTheSizeOfAZeroAndTheTargetOfACast) {
  const TensorPlacement placement;
  GraphBuilder graph("name", 7, kSets, placement);
  graph.Cast("y", graph.ZeroScalar("zero", ElementType::kInt32), ElementType::kUint8);
  const onnx::ModelProto model = Parse(graph);

  const onnx::TensorProto& zero = model.graph().initializer(0);
  EXPECT_EQ(zero.data_type(), onnx::TensorProto::INT32);
  EXPECT_EQ(zero.dims_size(), 0);
  EXPECT_EQ(zero.raw_data(), std::string(4, '\0'));
  EXPECT_EQ(model.graph().node(0).op_type(), "Cast");
  EXPECT_EQ(model.graph().node(0).attribute(0).i(), onnx::TensorProto::UINT8);
}

TEST(GraphBuilder, PointsWeightsIntoTheirFileOnce) {
  const TensorPlacement placement = OneTensor();
  GraphBuilder graph("name", 7, kSets, placement);
  EXPECT_EQ(graph.Weight("w", kShape), "w");
  EXPECT_EQ(graph.Weight("w", kShape), "w");
  const onnx::ModelProto model = Parse(graph);

  ASSERT_EQ(model.graph().initializer_size(), 1);
  const onnx::TensorProto& tensor = model.graph().initializer(0);
  EXPECT_THAT(tensor.dims(), ElementsAre(2, 3));
  EXPECT_EQ(tensor.data_type(), onnx::TensorProto::FLOAT);
  EXPECT_EQ(tensor.data_location(), onnx::TensorProto::EXTERNAL);
  ASSERT_EQ(tensor.external_data_size(), 3);
  EXPECT_EQ(tensor.external_data(0).value(), "weights.bin");
  EXPECT_EQ(tensor.external_data(1).value(), "128");
  EXPECT_EQ(tensor.external_data(2).value(), "24");
}

TEST(GraphBuilder, WritesNodesWithTheirAttributes) {
  const TensorPlacement placement;
  GraphBuilder graph("name", 7, kSets, placement);
  const Value five = graph.FloatScalar("five", 5.0f);
  const Value sizes = graph.Int64s("sizes", std::vector<int64_t>{7, -1});
  graph.Node("Op", "node", {five, "", sizes}, {{"i", int64_t{3}}, {"f", 0.5f}, {"l", std::vector<int64_t>{1, 2}}},
             "kubesentiment");
  const onnx::ModelProto model = Parse(graph);

  const onnx::NodeProto& node = model.graph().node(0);
  EXPECT_EQ(node.op_type(), "Op");
  EXPECT_EQ(node.domain(), "kubesentiment");
  EXPECT_THAT(node.input(), ElementsAre("five", "", "sizes"));
  EXPECT_THAT(node.output(), ElementsAre("node"));
  EXPECT_EQ(node.attribute(0).i(), 3);
  EXPECT_EQ(node.attribute(1).f(), 0.5f);
  EXPECT_THAT(node.attribute(2).ints(), ElementsAre(1, 2));
  float number = 0;
  ASSERT_EQ(model.graph().initializer(0).raw_data().size(), sizeof(number));
  std::memcpy(&number, model.graph().initializer(0).raw_data().data(), sizeof(number));
  EXPECT_EQ(number, 5.0f);
  EXPECT_EQ(model.graph().initializer(0).dims_size(), 0);
  EXPECT_THAT(model.graph().initializer(1).dims(), ElementsAre(2));
  EXPECT_EQ(model.graph().initializer(1).raw_data().size(), 2 * sizeof(int64_t));
}

TEST(GraphBuilder, KeepsTheFirstError) {
  const TensorPlacement placement = OneTensor();
  GraphBuilder graph("name", 7, kSets, placement);
  graph.Weight("first", kShape);
  graph.Weight("second", kShape);
  const absl::Status status = graph.Serialise().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no tensor first"));
}

TEST(GraphBuilder, PointsAtTheBytesOfSeveralTensors) {
  TensorPlacement placement = OneTensor();
  placement["before"] = {.file = "weights.bin", .offset = 100, .bytes = 3, .shape = {3}, .type = ElementType::kUint8};
  GraphBuilder graph("name", 7, kSets, placement);
  const GraphBuilder::Tensor tensors[] = {{"w", kShape}, {"before", {3}, ElementType::kUint8}};
  const GraphBuilder::Bytes bytes = graph.WeightBytes("all", tensors);
  EXPECT_EQ(bytes.value, "all");
  EXPECT_THAT(bytes.begins, ElementsAre(28, 0));
  const onnx::ModelProto model = Parse(graph);

  ASSERT_EQ(model.graph().initializer_size(), 1);
  const onnx::TensorProto& tensor = model.graph().initializer(0);
  EXPECT_EQ(tensor.name(), "all");
  EXPECT_THAT(tensor.dims(), ElementsAre(52));
  EXPECT_EQ(tensor.data_type(), onnx::TensorProto::UINT8);
  EXPECT_EQ(tensor.external_data(0).value(), "weights.bin");
  EXPECT_EQ(tensor.external_data(1).value(), "100");
  EXPECT_EQ(tensor.external_data(2).value(), "52");
}

TEST(GraphBuilder, NamesTheTensorOfAnotherShape) {
  const TensorPlacement placement = OneTensor();
  GraphBuilder graph("name", 7, kSets, placement);
  graph.Weight("w", std::vector<int64_t>{3, 2});
  const absl::Status status = graph.Serialise().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("w has the shape [2, 3], expected [3, 2]"));
}

TEST(GraphBuilder, NamesTheTensorOfAnotherSize) {
  TensorPlacement placement = OneTensor();
  placement["w"].bytes = 12;
  GraphBuilder graph("name", 7, kSets, placement);
  graph.Weight("w", kShape);
  const absl::Status status = graph.Serialise().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("w of shape [2, 3] has 12 bytes, expected 24"));
}

}  // namespace
}  // namespace ks
