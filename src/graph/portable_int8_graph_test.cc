#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "base/strings.h"
#include "graph/encoder_graph.h"
#include "graph/small_specs_testing.h"
#include "model/dense_layers.h"
#include "onnx.pb.h"

namespace ks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// `fp32` are the dense layers that stay unquantised.
TensorPlacement Place(const ClassifierSpec& spec, const std::set<std::string>& fp32 = {}) {
  TensorPlacement placement;
  const auto add = [&](const std::string& name, std::vector<int64_t> shape, ElementType type, int64_t size) {
    int64_t bytes = size;
    for (const int64_t dimension : shape) bytes *= dimension;
    placement[name] = {.file = "w.bin", .offset = 64, .bytes = bytes, .shape = std::move(shape), .type = type};
  };
  std::set<std::string> quantised;
  for (const DenseLayer& layer : DenseLayers(spec)) {
    if (!fp32.contains(layer.name)) {
      add(layer.parts.front().weight + ".multipliers", {layer.inputs}, ElementType::kFloat, 4);
    }
    for (const LinearNames& part : layer.parts) {
      if (!fp32.contains(layer.name)) quantised.insert(part.weight);
    }
  }
  for (const TensorSpec& tensor : ExpectedTensors(spec)) {
    if (quantised.contains(tensor.name)) {
      add(tensor.name + ".int8", {tensor.shape[1], tensor.shape[0]}, ElementType::kInt8, 1);
      add(tensor.name + ".column_sums", {tensor.shape[0]}, ElementType::kInt32, 4);
      add(tensor.name + ".scales", {tensor.shape[0]}, ElementType::kFloat, 4);
      continue;
    }
    const bool table = tensor.name.find("_embeddings.") != std::string::npos;
    add(tensor.name, tensor.shape, table ? ElementType::kFloat16 : ElementType::kFloat, table ? 2 : 4);
  }
  return placement;
}

onnx::ModelProto Emit(const ClassifierSpec& spec, const TensorPlacement& placement) {
  onnx::ModelProto model;
  const absl::StatusOr<std::string> bytes = EmitPortableInt8Graph(spec, placement);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_TRUE(bytes.ok() && model.ParseFromString(*bytes));
  return model;
}

std::map<std::string, int> CountOps(const onnx::ModelProto& model) {
  std::map<std::string, int> counts;
  for (const onnx::NodeProto& node : model.graph().node()) ++counts[node.op_type()];
  return counts;
}

const onnx::NodeProto& Find(const onnx::ModelProto& model, std::string_view name) {
  for (const onnx::NodeProto& node : model.graph().node()) {
    if (node.name() == name) return node;
  }
  ADD_FAILURE() << "no node " << name;
  return model.graph().node(0);
}

TEST(PortableInt8Graph, UsesStandardOperatorsOfOpset14OverPaddedBatches) {
  const onnx::ModelProto model = Emit(SmallBert(), Place(SmallBert()));
  ASSERT_EQ(model.opset_import_size(), 1);
  EXPECT_EQ(model.opset_import(0).domain(), "");
  EXPECT_EQ(model.opset_import(0).version(), 14);
  for (const onnx::NodeProto& node : model.graph().node()) EXPECT_EQ(node.domain(), "") << node.name();
  std::vector<std::string> inputs;
  for (const onnx::ValueInfoProto& input : model.graph().input()) {
    inputs.push_back(input.name());
    EXPECT_EQ(input.type().tensor_type().elem_type(), onnx::TensorProto::INT64);
    EXPECT_EQ(input.type().tensor_type().shape().dim(1).dim_param(), "sequence");
  }
  EXPECT_THAT(inputs, ElementsAre("input_ids", "attention_mask", "token_type_ids"));
}

TEST(PortableInt8Graph, UsesEveryTensorAndMakesEveryValueOnceAndBeforeItsUse) {
  for (const ClassifierSpec& spec : {SmallBert(), SmallDistilBert()}) {
    const TensorPlacement placement = Place(spec, {"layer.0.qkv", "layer.1.ffn.out"});
    const onnx::ModelProto model = Emit(spec, placement);
    std::set<std::string> known, used;
    for (const auto& input : model.graph().input()) known.insert(input.name());
    for (const auto& tensor : model.graph().initializer()) EXPECT_TRUE(known.insert(tensor.name()).second);
    for (const onnx::NodeProto& node : model.graph().node()) {
      for (const std::string& input : node.input()) EXPECT_TRUE(known.contains(input)) << node.name() << ": " << input;
      used.insert(node.input().begin(), node.input().end());
      EXPECT_TRUE(known.insert(node.output(0)).second) << node.output(0);
    }
    for (const auto& tensor : model.graph().initializer()) EXPECT_TRUE(used.contains(tensor.name())) << tensor.name();
    for (const auto& [name, place] : placement) EXPECT_TRUE(used.contains(name)) << name;
    EXPECT_TRUE(known.contains("logits"));
  }
}

// Query, key and value read the same bytes.
TEST(PortableInt8Graph, QuantisesEachValueOnce) {
  const onnx::ModelProto model = Emit(SmallBert(), Place(SmallBert()));
  std::map<std::string, int> counts = CountOps(model);
  EXPECT_EQ(counts["MatMulInteger"], 2 * 6);
  EXPECT_EQ(counts["ReduceMax"], 2 * 4);
  EXPECT_EQ(counts["Gemm"], 2) << "pooler and classifier";
  for (const char* part : {"query", "key", "value"}) {
    const std::string name = Cat("layer.1.", part);
    EXPECT_THAT(Find(model, name + ".products").input(),
                ElementsAre("layer.0.ffn.norm.quantised.bytes",
                            Cat("bert.encoder.layer.1.attention.self.", part, ".weight.int8"), "const.byte_zero",
                            name + ".zero_point"));
  }
}

TEST(PortableInt8Graph, MultipliesInFloatWhatStaysInFp32) {
  std::map<std::string, int> counts =
      CountOps(Emit(SmallBert(), Place(SmallBert(), {"layer.0.qkv", "layer.1.ffn.out"})));
  EXPECT_EQ(counts["MatMulInteger"], 2 * 6 - 4);
  EXPECT_EQ(counts["Gemm"], 2 + 4);
  EXPECT_EQ(counts["ReduceMax"], 2 * 4 - 2);
}

// The rest of the graph costs no memory for it: rows are widened once they are few.
TEST(PortableInt8Graph, WidensRowsOfTheEmbeddingsNotTheirTables) {
  const onnx::ModelProto model = Emit(SmallBert(), Place(SmallBert()));
  for (const char* rows : {"embeddings.words", "embeddings.positions", "embeddings.types"}) {
    const onnx::NodeProto& wide = Find(model, std::string(rows) + ".wide");
    EXPECT_EQ(wide.op_type(), "Cast");
    EXPECT_THAT(wide.input(), ElementsAre(rows));
    EXPECT_EQ(wide.attribute(0).i(), onnx::TensorProto::FLOAT);
  }
}

TEST(PortableInt8Graph, NamesTheTensorThatIsMissingOrOfAnotherShape) {
  const std::string weight = "bert.encoder.layer.1.intermediate.dense.weight";
  TensorPlacement placement = Place(SmallBert());
  placement.erase(weight + ".int8");
  absl::Status status = EmitPortableInt8Graph(SmallBert(), placement).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no tensor " + weight));

  placement = Place(SmallBert());
  placement[weight + ".int8"].shape = {16, 8};
  status = EmitPortableInt8Graph(SmallBert(), placement).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr(weight + ".int8 has the shape [16, 8], expected [8, 16]"));
}

}  // namespace
}  // namespace ks
