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
  const auto add = [&](const std::string& name, std::vector<int64_t> shape, ElementType type, int64_t size) {
    int64_t bytes = size;
    for (const int64_t dimension : shape) bytes *= dimension;
    placement[name] = {.file = "int8.bin", .offset = 64, .bytes = bytes, .shape = std::move(shape), .type = type};
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

TEST(Int8Graph, IsANodeOfOursForEachLayer) {
  EXPECT_THAT(CountOps(Parse(EmitInt8Graph(Bert(), Place(Bert())))),
              UnorderedElementsAre(Pair("EmbeddingsHalf", 1), Pair("LayerNormRows", 1), Pair("EncoderLayer", 2),
                                   Pair("LinearF32", 2), Pair("Tanh", 1)));
}

TEST(Int8Graph, IsANodeForEachStepWhereALayerKeepsFp32) {
  EXPECT_THAT(CountOps(Parse(EmitInt8Graph(Bert(), Place(Bert(), {"layer.1.ffn.in"})))),
              UnorderedElementsAre(Pair("EmbeddingsHalf", 1), Pair("EncoderLayer", 1), Pair("Int8Linear", 3),
                                   Pair("PackedAttentionQkv", 1), Pair("FirstTokens", 2), Pair("LayerNormRows", 3),
                                   Pair("LinearF32", 3), Pair("Tanh", 1)));
}

TEST(Int8Graph, IsANodeForEachStepWhereTheKernelsCannotCutTheWidth) {
  const ClassifierSpec spec = Sized(SmallBert(), 8);
  EXPECT_THAT(
      CountOps(Parse(EmitInt8Graph(spec, Place(spec)))),
      UnorderedElementsAre(Pair("EmbeddingsHalf", 1), Pair("Int8Linear", 8), Pair("PackedAttentionQkv", 2),
                           Pair("FirstTokens", 2), Pair("LayerNormRows", 5), Pair("LinearF32", 2), Pair("Tanh", 1)));
}

TEST(Int8Graph, UsesEveryTensorAndMakesEveryValueBeforeItsUse) {
  for (const ClassifierSpec& spec : {Bert(), DistilBert()}) {
    const TensorPlacement placement = Place(spec, {"layer.1.ffn.out"});
    const onnx::ModelProto model = Parse(EmitInt8Graph(spec, placement));
    std::set<std::string> known, used;
    for (const auto& input : model.graph().input()) known.insert(input.name());
    for (const auto& tensor : model.graph().initializer()) known.insert(tensor.name());
    EXPECT_EQ(static_cast<size_t>(model.graph().initializer_size()), placement.size());
    for (const onnx::NodeProto& node : model.graph().node()) {
      for (const std::string& input : node.input()) EXPECT_TRUE(known.contains(input)) << node.name() << ": " << input;
      used.insert(node.input().begin(), node.input().end());
      EXPECT_TRUE(known.insert(node.output(0)).second);
    }
    for (const auto& [name, place] : placement) EXPECT_TRUE(used.contains(name)) << name;
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

int64_t IntOf(const onnx::NodeProto& node, std::string_view name) {
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    if (attribute.name() == name) return attribute.i();
  }
  ADD_FAILURE() << node.name() << " has no " << name;
  return -1;
}

TEST(Int8Graph, GoesOnWithFirstTokensInTheLastLayerAlone) {
  const onnx::ModelProto model = Parse(EmitInt8Graph(Bert(), Place(Bert())));
  EXPECT_EQ(IntOf(Find(model, "layer.0.ffn.norm"), "first_tokens"), 0);
  const onnx::NodeProto& last = Find(model, "layer.1.ffn.norm");
  EXPECT_EQ(IntOf(last, "first_tokens"), 1);
  EXPECT_EQ(last.input(0), "layer.0.ffn.norm");
  EXPECT_EQ(IntOf(last, "hidden"), 16);
  EXPECT_EQ(IntOf(last, "inner"), 18);
  EXPECT_EQ(IntOf(last, "heads"), 2);

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
}

}  // namespace
}  // namespace ks
