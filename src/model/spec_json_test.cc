#include "model/spec_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace ks {
namespace {

using ::testing::HasSubstr;

ClassifierSpec Spec() {
  ClassifierSpec spec;
  spec.encoder = {.architecture = Architecture::kDistilBert,
                  .vocab_size = 50,
                  .hidden_size = 32,
                  .intermediate_size = 64,
                  .layers = 2,
                  .heads = 4,
                  .max_positions = 40,
                  .type_vocab_size = 0,
                  .layer_norm_eps = 1e-7f,
                  .pad_id = 3,
                  .pooling = Pooling::kRelu};
  spec.labels = {"böse", "gut \"ja\""};
  spec.activation = Activation::kSigmoid;
  return spec;
}

std::string Json(const ClassifierSpec& spec) {
  JsonWriter json;
  WriteSpecJson(spec, json);
  return std::move(json).Take();
}

absl::StatusOr<ClassifierSpec> Read(const std::string& text) {
  const auto document = JsonDocument::Parse(text, "manifest.json");
  EXPECT_TRUE(document.ok()) << document.status();
  return SpecFromJson(*document->root().AsObject());
}

TEST(SpecJson, ReadsBackWhatItWrote) {
  const auto spec = Read(Json(Spec()));
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(*spec, Spec());
  ClassifierSpec bert = Spec();
  bert.encoder.architecture = Architecture::kBert;
  bert.encoder.pooling = Pooling::kTanh;
  bert.encoder.type_vocab_size = 2;
  bert.activation = Activation::kNone;
  EXPECT_EQ(*Read(Json(bert)), bert);
}

TEST(SpecJson, NamesTheKeyThatIsWrong) {
  const auto error = [](std::string_view from, std::string_view to) {
    std::string text = Json(Spec());
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    const auto spec = Read(text.replace(at, from.size(), to));
    EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(spec.status().message());
  };
  EXPECT_THAT(error("distilbert", "gpt2"), HasSubstr("architecture: expected bert or distilbert, found a string"));
  EXPECT_THAT(error("\"layers\"", "\"lay\""), HasSubstr("layers: missing"));
  EXPECT_THAT(error("\"heads\":4", "\"heads\":5"), HasSubstr("heads: expected a divisor of hidden_size (32), found 5"));
  EXPECT_THAT(error("\"pad_id\":3", "\"pad_id\":50"), HasSubstr("pad_id: expected an integer from 0 to 49"));
  EXPECT_THAT(error("1e-07", "2"), HasSubstr("layer_norm_eps: expected a number"));
  EXPECT_THAT(error("relu", "mean"), HasSubstr("pooling: expected tanh or relu"));
  EXPECT_THAT(error("sigmoid", "maximum"), HasSubstr("activation: expected softmax or sigmoid or none"));
  EXPECT_THAT(error("böse\",\"", "x\",\"x\",\""), HasSubstr("label 1: \"x\" is given twice"));
}

}  // namespace
}  // namespace ks
