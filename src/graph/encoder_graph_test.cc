#include "graph/encoder_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/strings.h"
#include "graph/small_specs_testing.h"
#include "model/weights.h"
#include "onnx.pb.h"

namespace ks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

using Emit = absl::StatusOr<std::string> (*)(const ClassifierSpec&, const TensorPlacement&);

// The tensors end to end in one file; `reversed` inserts them in the other order.
TensorPlacement Place(const ClassifierSpec& spec, bool reversed = false) {
  std::vector<std::pair<std::string, TensorLocation>> places;
  int64_t offset = 64;
  for (const TensorSpec& tensor : ExpectedTensors(spec)) {
    int64_t bytes = sizeof(float);
    for (const int64_t size : tensor.shape) bytes *= size;
    places.push_back({tensor.name, {.file = "w.safetensors", .offset = offset, .bytes = bytes, .shape = tensor.shape}});
    offset += bytes;
  }
  if (reversed) std::reverse(places.begin(), places.end());
  return TensorPlacement(places.begin(), places.end());
}

onnx::ModelProto EmitAndParse(Emit emit, const ClassifierSpec& spec) {
  onnx::ModelProto model;
  const absl::StatusOr<std::string> bytes = emit(spec, Place(spec));
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_TRUE(bytes.ok() && model.ParseFromString(*bytes));
  return model;
}

std::vector<std::string> InputNames(const onnx::ModelProto& model) {
  std::vector<std::string> names;
  for (const onnx::ValueInfoProto& input : model.graph().input()) names.push_back(input.name());
  return names;
}

std::map<std::string, int> CountOps(const onnx::ModelProto& model) {
  std::map<std::string, int> counts;
  for (const onnx::NodeProto& node : model.graph().node()) ++counts[node.op_type()];
  return counts;
}

// What both graphs must be, for both architectures.
class BothGraphs : public ::testing::TestWithParam<std::tuple<Emit, ClassifierSpec>> {
 protected:
  Emit emit() const { return std::get<0>(GetParam()); }
  const ClassifierSpec& spec() const { return std::get<1>(GetParam()); }
};

TEST_P(BothGraphs, MakeEveryValueOnceAndBeforeItsUse) {
  const onnx::ModelProto model = EmitAndParse(emit(), spec());
  std::set<std::string> known;
  for (const onnx::ValueInfoProto& input : model.graph().input()) EXPECT_TRUE(known.insert(input.name()).second);
  for (const onnx::TensorProto& tensor : model.graph().initializer()) EXPECT_TRUE(known.insert(tensor.name()).second);
  for (const onnx::NodeProto& node : model.graph().node()) {
    for (const std::string& input : node.input()) EXPECT_TRUE(known.contains(input)) << node.name() << " of " << input;
    for (const std::string& output : node.output()) EXPECT_TRUE(known.insert(output).second) << output;
  }
  ASSERT_EQ(model.graph().output_size(), 1);
  EXPECT_EQ(model.graph().output(0).name(), "logits");
  EXPECT_TRUE(known.contains("logits"));
}

TEST_P(BothGraphs, LeaveNoInitializerUnused) {
  const onnx::ModelProto model = EmitAndParse(emit(), spec());
  std::set<std::string> used;
  for (const onnx::NodeProto& node : model.graph().node()) used.insert(node.input().begin(), node.input().end());
  for (const onnx::TensorProto& tensor : model.graph().initializer()) EXPECT_TRUE(used.contains(tensor.name()));
}

TEST_P(BothGraphs, PointEveryTensorOfTheModelToItsPlace) {
  const onnx::ModelProto model = EmitAndParse(emit(), spec());
  std::map<std::string, const onnx::TensorProto*> external;
  for (const onnx::TensorProto& tensor : model.graph().initializer()) {
    if (tensor.data_location() == onnx::TensorProto::EXTERNAL) external[tensor.name()] = &tensor;
  }
  EXPECT_THAT(external, SizeIs(ExpectedTensors(spec()).size()));
  for (const auto& [name, place] : Place(spec())) {
    ASSERT_TRUE(external.contains(name)) << name;
    const onnx::TensorProto& tensor = *external[name];
    EXPECT_EQ(tensor.external_data(0).value(), place.file);
    EXPECT_EQ(tensor.external_data(1).value(), Cat(place.offset)) << name;
    EXPECT_EQ(tensor.external_data(2).value(), Cat(place.bytes)) << name;
    EXPECT_TRUE(std::equal(tensor.dims().begin(), tensor.dims().end(), place.shape.begin(), place.shape.end()));
  }
}

TEST_P(BothGraphs, GiveTheSameBytesAgain) {
  const absl::StatusOr<std::string> first = emit()(spec(), Place(spec()));
  const absl::StatusOr<std::string> second = emit()(spec(), Place(spec(), /*reversed=*/true));
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(*first, *second);
}

TEST_P(BothGraphs, NameAMissingTensor) {
  TensorPlacement placement = Place(spec());
  placement.erase("classifier.bias");
  const absl::Status status = emit()(spec(), placement).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("classifier.bias"));
}

INSTANTIATE_TEST_SUITE_P(Emitters, BothGraphs,
                         ::testing::Combine(::testing::Values(&EmitPortableGraph, &EmitServingGraph),
                                            ::testing::Values(SmallBert(), SmallDistilBert())),
                         [](const auto& tested) {
                           const bool portable = std::get<0>(tested.param) == &EmitPortableGraph;
                           const bool bert = std::get<1>(tested.param).encoder.architecture == Architecture::kBert;
                           return Cat(portable ? "Portable" : "Serving", bert ? "Bert" : "DistilBert");
                         });

TEST(EmitPortableGraph, UsesStandardOperatorsOfOpset14) {
  const onnx::ModelProto model = EmitAndParse(EmitPortableGraph, SmallBert());
  ASSERT_EQ(model.opset_import_size(), 1);
  EXPECT_EQ(model.opset_import(0).domain(), "");
  EXPECT_EQ(model.opset_import(0).version(), 14);
  for (const onnx::NodeProto& node : model.graph().node()) EXPECT_EQ(node.domain(), "") << node.name();
}

TEST(EmitPortableGraph, HasPaddedInt64InputsAndDynamicAxes) {
  const onnx::ModelProto model = EmitAndParse(EmitPortableGraph, SmallBert());
  EXPECT_THAT(InputNames(model), ElementsAre("input_ids", "attention_mask", "token_type_ids"));
  for (const onnx::ValueInfoProto& input : model.graph().input()) {
    EXPECT_EQ(input.type().tensor_type().elem_type(), onnx::TensorProto::INT64);
    EXPECT_EQ(input.type().tensor_type().shape().dim(0).dim_param(), "batch");
    EXPECT_EQ(input.type().tensor_type().shape().dim(1).dim_param(), "sequence");
  }
  EXPECT_THAT(InputNames(EmitAndParse(EmitPortableGraph, SmallDistilBert())),
              ElementsAre("input_ids", "attention_mask"));
}

TEST(EmitServingGraph, HasPackedInt32Inputs) {
  const onnx::ModelProto model = EmitAndParse(EmitServingGraph, SmallBert());
  EXPECT_THAT(InputNames(model), ElementsAre("input_ids", "offsets", "token_type_ids"));
  for (const onnx::ValueInfoProto& input : model.graph().input()) {
    EXPECT_EQ(input.type().tensor_type().elem_type(), onnx::TensorProto::INT32);
  }
  EXPECT_THAT(InputNames(EmitAndParse(EmitServingGraph, SmallDistilBert())), ElementsAre("input_ids", "offsets"));
}

// Nodes are a cold-start cost; a new one must be meant.
TEST(EmitServingGraph, SpendsTwelveNodesOnALayer) {
  const onnx::ModelProto two_layers = EmitAndParse(EmitServingGraph, SmallBert());
  ClassifierSpec spec = SmallBert();
  spec.encoder.layers = 3;
  const onnx::ModelProto three_layers = EmitAndParse(EmitServingGraph, spec);
  EXPECT_EQ(three_layers.graph().node_size() - two_layers.graph().node_size(), 12);
  EXPECT_EQ(two_layers.graph().node_size(), 2 + 2 * 12 + 2 + 3);
}

TEST(EmitServingGraph, PoolsAsTheArchitectureDoes) {
  std::map<std::string, int> bert = CountOps(EmitAndParse(EmitServingGraph, SmallBert()));
  EXPECT_EQ(bert["Tanh"], 1);
  EXPECT_EQ(bert["Relu"], 0);
  std::map<std::string, int> distilbert = CountOps(EmitAndParse(EmitServingGraph, SmallDistilBert()));
  EXPECT_EQ(distilbert["Tanh"], 0);
  EXPECT_EQ(distilbert["Relu"], 1);
}

}  // namespace
}  // namespace ks
