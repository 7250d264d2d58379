#include "model/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace ks {
namespace {

using Shape = std::vector<int64_t>;

ClassifierSpec Spec(Architecture architecture) {
  ClassifierSpec spec;
  spec.encoder = {.architecture = architecture,
                  .vocab_size = 50,
                  .hidden_size = 32,
                  .intermediate_size = 64,
                  .layers = 2,
                  .heads = 4,
                  .max_positions = 40,
                  .type_vocab_size = architecture == Architecture::kBert ? 2 : 0};
  spec.labels = {"A", "B", "C"};
  return spec;
}

std::map<std::string, Shape> ShapesOf(const ClassifierSpec& spec) {
  std::map<std::string, Shape> shapes;
  for (const TensorSpec& tensor : ExpectedTensors(spec)) {
    EXPECT_TRUE(shapes.emplace(tensor.name, tensor.shape).second) << tensor.name << " twice";
  }
  return shapes;
}

TEST(Weights, NamesEveryTensorOfBert) {
  const auto shapes = ShapesOf(Spec(Architecture::kBert));
  EXPECT_EQ(shapes.size(), 5u + 2 * 16 + 4);
  EXPECT_EQ(shapes.at("bert.embeddings.word_embeddings.weight"), (Shape{50, 32}));
  EXPECT_EQ(shapes.at("bert.embeddings.token_type_embeddings.weight"), (Shape{2, 32}));
  EXPECT_EQ(shapes.at("bert.encoder.layer.1.attention.self.query.weight"), (Shape{32, 32}));
  EXPECT_EQ(shapes.at("bert.encoder.layer.1.intermediate.dense.weight"), (Shape{64, 32}));
  EXPECT_EQ(shapes.at("bert.encoder.layer.1.output.dense.weight"), (Shape{32, 64}));
  EXPECT_EQ(shapes.at("bert.encoder.layer.1.output.LayerNorm.bias"), (Shape{32}));
  EXPECT_EQ(shapes.at("bert.pooler.dense.weight"), (Shape{32, 32}));
  EXPECT_EQ(shapes.at("classifier.weight"), (Shape{3, 32}));
}

TEST(Weights, NamesEveryTensorOfDistilBert) {
  const auto shapes = ShapesOf(Spec(Architecture::kDistilBert));
  EXPECT_EQ(shapes.size(), 4u + 2 * 16 + 4);
  EXPECT_EQ(shapes.at("distilbert.embeddings.position_embeddings.weight"), (Shape{40, 32}));
  EXPECT_EQ(shapes.at("distilbert.transformer.layer.0.attention.out_lin.bias"), (Shape{32}));
  EXPECT_EQ(shapes.at("distilbert.transformer.layer.0.ffn.lin2.weight"), (Shape{32, 64}));
  EXPECT_EQ(shapes.at("pre_classifier.weight"), (Shape{32, 32}));
  EXPECT_EQ(shapes.at("classifier.bias"), (Shape{3}));
}

TEST(Weights, KnowsTheOlderNamesOfLayerNorm) {
  EXPECT_EQ(LegacyName("bert.embeddings.LayerNorm.weight"), "bert.embeddings.LayerNorm.gamma");
  EXPECT_EQ(LegacyName("bert.embeddings.LayerNorm.bias"), "bert.embeddings.LayerNorm.beta");
  EXPECT_EQ(LegacyName("classifier.weight"), "");
}

}  // namespace
}  // namespace ks
