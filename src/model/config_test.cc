#include "model/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace ks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kBert = R"({
  "model_type": "bert", "architectures": ["BertForSequenceClassification"], "hidden_act": "gelu", "vocab_size": 30522,
  "hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 6, "num_attention_heads": 12,
  "max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-5, "pad_token_id": 3,
  "position_embedding_type": "absolute", "id2label": {"1": "POSITIVE", "0": "NEGATIVE"}, "torch_dtype": "float16"
})";

constexpr std::string_view kDistilBert = R"({
  "model_type": "distilbert", "architectures": ["DistilBertForSequenceClassification"], "activation": "gelu",
  "vocab_size": 100, "dim": 64, "hidden_dim": 256, "n_layers": 3, "n_heads": 4, "max_position_embeddings": 40,
  "seq_classif_dropout": 0.2, "sinusoidal_pos_embds": false, "num_labels": 3
})";

// kBert with one piece of text replaced.
std::string Bert(std::string_view from, std::string_view to) {
  std::string text(kBert);
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string WithMember(std::string_view member) { return Bert("{\n", "{" + std::string(member) + ","); }

void ExpectError(const std::string& json, absl::StatusCode code, std::string_view part) {
  const absl::Status status = ParseConfig(json, "config.json").status();
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(status.message(), HasSubstr("config.json"));
  EXPECT_THAT(std::string(status.message()), HasSubstr(std::string(part)));
}

void ExpectInvalid(const std::string& json, std::string_view part) {
  ExpectError(json, absl::StatusCode::kInvalidArgument, part);
}
void ExpectUnsupported(const std::string& json, std::string_view part) {
  ExpectError(json, absl::StatusCode::kFailedPrecondition, part);
}

TEST(ParseConfig, ReadsBert) {
  const auto spec = ParseConfig(kBert, "config.json");
  ASSERT_TRUE(spec.ok()) << spec.status();
  const EncoderSpec expected = {.architecture = Architecture::kBert,
                                .vocab_size = 30522,
                                .hidden_size = 384,
                                .intermediate_size = 1536,
                                .layers = 6,
                                .heads = 12,
                                .max_positions = 512,
                                .type_vocab_size = 2,
                                .layer_norm_eps = 1e-5f,
                                .pad_id = 3,
                                .pooling = Pooling::kTanh};
  EXPECT_EQ(spec->encoder, expected);
  EXPECT_THAT(spec->labels, ElementsAre("NEGATIVE", "POSITIVE"));
  EXPECT_EQ(spec->activation, Activation::kSoftmax);
}

TEST(ParseConfig, ReadsDistilBertByItsOwnKeys) {
  const auto spec = ParseConfig(kDistilBert, "config.json");
  ASSERT_TRUE(spec.ok()) << spec.status();
  const EncoderSpec expected = {.architecture = Architecture::kDistilBert,
                                .vocab_size = 100,
                                .hidden_size = 64,
                                .intermediate_size = 256,
                                .layers = 3,
                                .heads = 4,
                                .max_positions = 40,
                                .type_vocab_size = 0,
                                .layer_norm_eps = 1e-12f,
                                .pad_id = 0,
                                .pooling = Pooling::kRelu};
  EXPECT_EQ(spec->encoder, expected);
  EXPECT_THAT(spec->labels, ElementsAre("LABEL_0", "LABEL_1", "LABEL_2"));
}

TEST(ParseConfig, NamesTwoLabelsWhereNothingIsSaid) {
  const auto spec = ParseConfig(Bert(R"("id2label": {"1": "POSITIVE", "0": "NEGATIVE"}, )", ""), "config.json");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_THAT(spec->labels, ElementsAre("LABEL_0", "LABEL_1"));
}

TEST(ParseConfig, FollowsProblemTypeAndLabelCount) {
  const auto activation = [](const std::string& json) {
    const auto spec = ParseConfig(json, "config.json");
    EXPECT_TRUE(spec.ok()) << spec.status();
    return spec->activation;
  };
  EXPECT_EQ(activation(WithMember(R"("problem_type":"regression")")), Activation::kNone);
  EXPECT_EQ(activation(WithMember(R"("problem_type":"multi_label_classification")")), Activation::kSigmoid);
  EXPECT_EQ(activation(WithMember(R"("problem_type":"single_label_classification")")), Activation::kSoftmax);
  EXPECT_EQ(activation(WithMember(R"("problem_type":null)")), Activation::kSoftmax);
  EXPECT_EQ(activation(Bert(R"({"1": "POSITIVE", "0": "NEGATIVE"})", R"({"0": "TOXIC"})")), Activation::kSigmoid);
  ExpectInvalid(WithMember(R"("problem_type":"ranking")"), "problem_type: expected regression, single_label");
}

TEST(ParseConfig, NamesTheModelTypeItCannotTake) {
  ExpectUnsupported(Bert("\"bert\"", "\"deberta-v2\""),
                    "model_type: expected a supported model type (bert or distilbert), found \"deberta-v2\"");
  ExpectInvalid(Bert("\"model_type\": \"bert\", ", ""), "model_type: missing");
}

TEST(ParseConfig, NamesWhatItCannotCompute) {
  ExpectUnsupported(Bert("\"gelu\"", "\"relu\""), "hidden_act: expected \"gelu\", found \"relu\"");
  ExpectUnsupported(Bert("\"absolute\"", "\"relative_key\""),
                    "position_embedding_type: expected \"absolute\", found \"relative_key\"");
  ExpectUnsupported(Bert("BertForSequenceClassification", "BertForMaskedLM"),
                    "architectures: expected BertForSequenceClassification, found \"BertForMaskedLM\"");
  ExpectUnsupported(WithMember(R"("is_decoder":true)"), "is_decoder: expected an encoder");
  ExpectUnsupported(WithMember(R"("quantization_config":{"bits":4})"), "quantization_config: expected");
}

TEST(ParseConfig, TakesTheOtherNameOfGelu) {
  EXPECT_TRUE(ParseConfig(Bert("\"gelu\"", "\"gelu_python\""), "config.json").ok());
}

TEST(ParseConfig, NamesTheSizeThatIsWrong) {
  ExpectInvalid(Bert("\"num_hidden_layers\": 6, ", ""), "num_hidden_layers: missing");
  ExpectInvalid(Bert("\"num_attention_heads\": 12", "\"num_attention_heads\": 7"),
                "num_attention_heads: expected a divisor of hidden_size (384), found 7");
  ExpectInvalid(Bert("30522", "\"many\""), "vocab_size: expected an integer");
  ExpectInvalid(Bert("30522", "9000000000"), "vocab_size: expected an integer from 1 to 4194304, found");
  ExpectInvalid(Bert("384", "0"), "hidden_size: expected an integer from 1");
  ExpectInvalid(Bert("1e-5", "-1"), "layer_norm_eps: expected a number from 1e-30 to 1");
  ExpectInvalid(Bert("\"pad_token_id\": 3", "\"pad_token_id\": 30522"),
                "pad_token_id: expected an integer from 0 to 30521");
  ExpectInvalid("[]", "expected an object");
}

TEST(ParseConfig, NamesTheLabelThatIsWrong) {
  const auto labels = [](std::string_view id2label) { return Bert(R"({"1": "POSITIVE", "0": "NEGATIVE"})", id2label); };
  ExpectInvalid(labels(R"({"0": "A", "2": "B"})"), "id2label.1: missing");
  ExpectInvalid(labels(R"({"0": "A", "1": "A"})"), "id2label: label 1: \"A\" is given twice");
  ExpectInvalid(labels(R"({"0": "A", "1": ""})"), "id2label: label 1: expected 1 to 256 bytes");
  ExpectInvalid(labels(R"({"0": "A\u0000"})"), "label 0: holds a control character");
  ExpectInvalid(labels("{}"), "id2label: expected 1 to 65536 labels, found 0");
  ExpectInvalid(WithMember(R"("num_labels":5)"), "num_labels: expected 2, as many as id2label has, found 5");
}

}  // namespace
}  // namespace ks
