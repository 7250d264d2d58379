#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

// A feed-forward of no multiple of 16 or 4, so that its weights are padded.
ClassifierSpec Sized(ClassifierSpec spec, int hidden) {
  spec.encoder.hidden_size = hidden;
  spec.encoder.intermediate_size = 18;
  return spec;
}
ClassifierSpec Bert() { return Sized(SmallBert(), 16); }
ClassifierSpec DistilBert() { return Sized(SmallDistilBert(), 16); }

// `fp32` stays unquantised.
TensorPlacement Place(const ClassifierSpec& spec, const std::set<std::string>& fp32 = {}) {
  TensorPlacement placement;
  int64_t next = 64;
  const auto add = [&](const std::string& name, std::vector<int64_t> shape, ElementType type, int64_t size) {
    int64_t bytes = size;
    for (const int64_t dimension : shape) bytes *= dimension;
    placement[name] = {.file = "int8.bin", .offset = next, .bytes = bytes, .shape = std::move(shape), .type = type};
    next += (bytes + 63) / 64 * 64;
  };
  std::set<std::string> dense_names;
  for (const DenseLayer& layer : DenseLayers(spec)) {
    for (const LinearNames& part : layer.parts) dense_names.insert({part.weight, part.bias});
    if (fp32.contains(layer.name)) {
      add(layer.name + ".weight", {layer.outputs, layer.inputs}, ElementType::kFloat, 4);
      add(layer.name + ".bias", {layer.outputs}, ElementType::kFloat, 4);
      continue;
    }
    const int64_t outputs = (layer.outputs + 15) / 16 * 16;
    add(layer.name + ".packed", {outputs * ((layer.inputs + 3) / 4 * 4)}, ElementType::kUint8, 1);
    add(layer.name + ".scales", {outputs}, ElementType::kFloat, 4);
    add(layer.name + ".column_sums", {outputs}, ElementType::kInt32, 4);
    add(layer.name + ".multipliers", {layer.inputs}, ElementType::kFloat, 4);
    add(layer.name + ".bias", {outputs}, ElementType::kFloat, 4);
  }
  for (const TensorSpec& tensor : ExpectedTensors(spec)) {
    if (dense_names.contains(tensor.name)) continue;
    const bool table = tensor.name.find("_embeddings.") != std::string::npos;
    add(tensor.name, tensor.shape, table ? ElementType::kFloat16 : ElementType::kFloat, table ? 2 : 4);
  }
  return placement;
}

onnx::ModelProto Parse(const absl::StatusOr<std::string>& bytes) {
  onnx::ModelProto model;
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_TRUE(bytes.ok() && model.ParseFromString(*bytes));
  return model;
}

std::map<std::string, int> CountOps(const onnx::ModelProto& model) {
  std::map<std::string, int> counts;
  for (const onnx::NodeProto& node : model.graph().node()) {
    EXPECT_EQ(node.domain(), "kubesentiment") << node.name() << ": whose float arithmetic would this be?";
    ++counts[node.op_type()];
  }
  return counts;
}

TEST(Int8Graph, IsThreeNodesOfOurs) {
  for (const ClassifierSpec& spec : {Bert(), DistilBert()}) {
    EXPECT_THAT(CountOps(Parse(EmitInt8Graph(spec, Place(spec)))),
                UnorderedElementsAre(Pair("NormedEmbeddings", 1), Pair("EncoderLayers", 1), Pair("Classifier", 1)));
  }
}

TEST(Int8Graph, IsANodeForEachStepWhereALayerKeepsFp32) {
  EXPECT_THAT(CountOps(Parse(EmitInt8Graph(Bert(), Place(Bert(), {"layer.1.ffn.in"})))),
              UnorderedElementsAre(Pair("NormedEmbeddings", 1), Pair("EncoderLayers", 1), Pair("Int8Linear", 3),
                                   Pair("PackedAttentionQkv", 1), Pair("FirstTokens", 2), Pair("LayerNormRows", 2),
                                   Pair("LinearF32", 1), Pair("Classifier", 1)));
}

TEST(Int8Graph, IsANodeForEachStepWhereTheKernelsCannotCutTheWidth) {
  const ClassifierSpec spec = Sized(SmallBert(), 8);
  EXPECT_THAT(CountOps(Parse(EmitInt8Graph(spec, Place(spec)))),
              UnorderedElementsAre(Pair("NormedEmbeddings", 1), Pair("Int8Linear", 8), Pair("PackedAttentionQkv", 2),
                                   Pair("FirstTokens", 2), Pair("LayerNormRows", 4), Pair("Classifier", 1)));
}

const onnx::AttributeProto& AttributeOf(const onnx::NodeProto& node, std::string_view name) {
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    if (attribute.name() == name) return attribute;
  }
  ADD_FAILURE() << node.name() << " has no " << name;
  return onnx::AttributeProto::default_instance();
}

// Where the tensors of a node of layers begin in their file.
std::vector<int64_t> OffsetsOf(const onnx::ModelProto& model, const onnx::NodeProto& layers) {
  std::vector<int64_t> offsets;
  for (const onnx::TensorProto& tensor : model.graph().initializer()) {
    if (tensor.name() != layers.input(2)) continue;
    EXPECT_EQ(tensor.external_data(0).value(), "int8.bin");
    const int64_t first = std::stoll(tensor.external_data(1).value());
    for (const int64_t begin : AttributeOf(layers, "begins").ints()) offsets.push_back(first + begin);
  }
  return offsets;
}

TEST(Int8Graph, UsesEveryTensorAndMakesEveryValueBeforeItsUse) {
  for (const ClassifierSpec& spec : {Bert(), DistilBert()}) {
    const TensorPlacement placement = Place(spec, {"layer.1.ffn.out"});
    const onnx::ModelProto model = Parse(EmitInt8Graph(spec, placement));
    std::set<std::string> known, used;
    std::vector<int64_t> of_layers;
    for (const auto& input : model.graph().input()) known.insert(input.name());
    for (const auto& tensor : model.graph().initializer()) known.insert(tensor.name());
    for (const onnx::NodeProto& node : model.graph().node()) {
      for (const std::string& input : node.input()) EXPECT_TRUE(known.contains(input)) << node.name() << ": " << input;
      used.insert(node.input().begin(), node.input().end());
      if (node.op_type() == "EncoderLayers") of_layers = OffsetsOf(model, node);
      EXPECT_TRUE(known.insert(node.output(0)).second);
    }
    EXPECT_EQ(of_layers.size(), 24u);
    EXPECT_EQ(model.graph().initializer_size() - 1 + of_layers.size(), placement.size());
    for (const auto& [name, place] : placement) {
      EXPECT_TRUE(used.contains(name) || std::ranges::count(of_layers, place.offset) == 1) << name;
    }
    EXPECT_TRUE(known.contains("logits"));
  }
}

const onnx::NodeProto& Find(const onnx::ModelProto& model, std::string_view name) {
  for (const onnx::NodeProto& node : model.graph().node()) {
    if (node.name() == name) return node;
  }
  ADD_FAILURE() << "no node " << name;
  return model.graph().node(0);
}

TEST(Int8Graph, AddsResidualsInTheDenseLayerOrWhereItIsFp32InTheNorm) {
  const onnx::ModelProto model = Parse(EmitInt8Graph(Bert(), Place(Bert(), {"layer.1.ffn.out"})));
  const onnx::NodeProto& quantised = Find(model, "layer.1.attention.output");
  EXPECT_EQ(quantised.op_type(), "Int8Linear");
  EXPECT_EQ(quantised.input(6), "layer.1.first");
  EXPECT_EQ(Find(model, "layer.1.attention.norm").input_size(), 3);
  const onnx::NodeProto& kept = Find(model, "layer.1.ffn.out");
  EXPECT_EQ(kept.op_type(), "LinearF32");
  EXPECT_EQ(kept.input_size(), 3);
  EXPECT_EQ(Find(model, "layer.1.ffn.norm").input(3), "layer.1.attention.norm");
}

TEST(Int8Graph, PointsAtTheTensorsOfEachLayerInTheirOrder) {
  const TensorPlacement placement = Place(Bert());
  const onnx::ModelProto model = Parse(EmitInt8Graph(Bert(), placement));
  const onnx::NodeProto& layers = Find(model, "layer.1.ffn.norm");
  EXPECT_THAT(layers.input(), ElementsAre("embeddings.norm", "offsets", "layers.0-1"));
  EXPECT_EQ(AttributeOf(layers, "hidden").i(), 16);
  EXPECT_EQ(AttributeOf(layers, "inner").i(), 18);
  EXPECT_EQ(AttributeOf(layers, "heads").i(), 2);

  std::vector<int64_t> expected;
  const WeightNames names = NamesOfWeights(Bert());
  for (const int layer : {0, 1}) {
    const auto dense = [&](std::string_view name) {
      for (const char* tensor : {"packed", "scales", "column_sums", "bias", "multipliers"}) {
        expected.push_back(placement.at(Cat("layer.", layer, ".", name, ".", tensor)).offset);
      }
    };
    const auto norm = [&](const NormNames& tensors) {
      expected.push_back(placement.at(tensors.weight).offset);
      expected.push_back(placement.at(tensors.bias).offset);
    };
    dense("qkv");
    dense("attention.output");
    norm(names.layers[layer].attention_norm);
    dense("ffn.in");
    dense("ffn.out");
    norm(names.layers[layer].ffn_norm);
  }
  EXPECT_EQ(OffsetsOf(model, layers), expected);
}

TEST(Int8Graph, GoesOnWithFirstTokensInTheLastLayerAlone) {
  const onnx::ModelProto model = Parse(EmitInt8Graph(Bert(), Place(Bert())));
  EXPECT_EQ(AttributeOf(Find(model, "layer.1.ffn.norm"), "first_tokens").i(), 1);

  const onnx::ModelProto first = Parse(EmitInt8Graph(Bert(), Place(Bert(), {"layer.1.ffn.in"})));
  EXPECT_EQ(AttributeOf(Find(first, "layer.0.ffn.norm"), "first_tokens").i(), 0);
  const onnx::ModelProto last = Parse(EmitInt8Graph(Bert(), Place(Bert(), {"layer.0.ffn.in"})));
  EXPECT_EQ(AttributeOf(Find(last, "layer.1.ffn.norm"), "first_tokens").i(), 1);
  EXPECT_EQ(Find(last, "layer.1.ffn.norm").input(0), "layer.0.ffn.norm");

  const onnx::ModelProto steps = Parse(EmitInt8Graph(Bert(), Place(Bert(), {"layer.0.qkv", "layer.1.qkv"})));
  const onnx::NodeProto& output = Find(steps, "layer.1.attention.output");
  EXPECT_EQ(output.input(0), "layer.1.attention.first");
  EXPECT_EQ(output.input(6), "layer.1.first");
  EXPECT_EQ(Find(steps, "layer.0.attention.output").input(0), "layer.0.attention");
}

TEST(Int8Graph, NamesTheTensorThatIsMissingOrOfAnotherKind) {
  TensorPlacement placement = Place(Bert());
  placement.erase("layer.1.qkv.scales");
  absl::Status status = EmitInt8Graph(Bert(), placement).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("layer.1.qkv.scales"));

  placement = Place(Bert());
  placement["layer.0.ffn.in.packed"].shape = {7};
  status = EmitInt8Graph(Bert(), placement).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("layer.0.ffn.in.packed has the shape [7], expected [512]"));

  placement = Place(Bert());
  placement["layer.0.ffn.in.column_sums"].type = ElementType::kFloat;
  status = EmitInt8Graph(Bert(), placement).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("layer.0.ffn.in.column_sums has the ONNX type 1, expected 6"));

  placement = Place(Bert());
  placement["layer.1.ffn.out.bias"].file = "other.bin";
  status = EmitInt8Graph(Bert(), placement).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("layer.1.ffn.out.bias lies in other.bin, expected int8.bin as layer.0.qkv.packed"));
}

}  // namespace
}  // namespace ks
