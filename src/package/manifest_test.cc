#include "package/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace ks {
namespace {

using ::testing::HasSubstr;

const std::string kHash(64, 'a');

Manifest Sample() {
  Manifest manifest;
  manifest.name = "tiny-model_1.0";
  manifest.spec.encoder = {.architecture = Architecture::kBert,
                           .vocab_size = 50,
                           .hidden_size = 32,
                           .intermediate_size = 64,
                           .layers = 2,
                           .heads = 4,
                           .max_positions = 40,
                           .type_vocab_size = 2};
  manifest.spec.labels = {"NEGATIVE", "POSITIVE"};
  manifest.temperature = 1.25f;
  manifest.window = 40;
  manifest.precisions = {"fp32"};
  manifest.files = {{"fp32.onnx", 12, kHash, false}, {"portable.onnx", 5'000'000'000, std::string(64, '0'), true}};
  manifest.self_checks = {{"good \"film\"\n", {-1.5f, 0.1f}}};
  manifest.source_sha256 = std::string(64, '5');
  return manifest;
}

TEST(Manifest, ReadsBackWhatItWrote) {
  const Manifest manifest = Sample();
  const std::string json = ManifestToJson(manifest);
  const auto read = ManifestFromJson(json, "manifest.json");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->name, manifest.name);
  EXPECT_EQ(read->spec, manifest.spec);
  EXPECT_EQ(read->temperature, 1.25f);
  EXPECT_EQ(read->window, 40);
  EXPECT_EQ(read->precisions, manifest.precisions);
  ASSERT_EQ(read->files.size(), 2u);
  EXPECT_EQ(read->files[1].name, "portable.onnx");
  EXPECT_EQ(read->files[1].size_bytes, 5'000'000'000);
  EXPECT_TRUE(read->files[1].optional);
  EXPECT_FALSE(read->files[0].optional);
  ASSERT_EQ(read->self_checks.size(), 1u);
  EXPECT_EQ(read->self_checks[0].text, manifest.self_checks[0].text);
  EXPECT_EQ(read->self_checks[0].fp32_logits, manifest.self_checks[0].fp32_logits);
  EXPECT_EQ(read->source_sha256, manifest.source_sha256);
  EXPECT_EQ(ManifestToJson(*read), json);
}

TEST(Manifest, WritesTheSameAgainAfterReadingMinusZero) {
  std::string text = ManifestToJson(Sample());
  const auto read = ManifestFromJson(text.replace(text.find("[-1.5"), 5, "[-0.0"), "manifest.json");
  ASSERT_TRUE(read.ok()) << read.status();
  const std::string json = ManifestToJson(*read);
  EXPECT_EQ(ManifestToJson(*ManifestFromJson(json, "manifest.json")), json);
}

TEST(Manifest, IsIndentedForPeople) {
  EXPECT_THAT(ManifestToJson(Sample()),
              HasSubstr("{\n  \"format\": \"kubesentiment-package\",\n  \"format_version\": 2,\n"));
  EXPECT_THAT(ManifestToJson(Sample()), HasSubstr("\"fp32_logits\": [-1.5, 0.1]\n"));
}

absl::Status ErrorAfter(std::string_view from, std::string_view to) {
  std::string json = ManifestToJson(Sample());
  const size_t at = json.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return ManifestFromJson(json.replace(at, from.size(), to), "x/manifest.json").status();
}

TEST(Manifest, RefusesAnotherFormatVersionNamingBoth) {
  const absl::Status status = ErrorAfter("\"format_version\": 2", "\"format_version\": 3");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(),
              HasSubstr("x/manifest.json: format_version: expected 1 or 2, which this program reads, found 3"));
}

TEST(Manifest, ReadsTheVersionBefore) {
  std::string text = ManifestToJson(Sample());
  const std::string_view version = "\"format_version\": 2";
  const auto read = ManifestFromJson(text.replace(text.find(version), version.size(), "\"format_version\": 1"), "m");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->format_version, 1);
  EXPECT_EQ(read->precisions, std::vector<std::string>{"fp32"});
}

Manifest Int8Sample() {
  Manifest manifest = Sample();
  manifest.precisions = {"fp32", "int8"};
  manifest.self_checks[0].int8_logits = {-1.4375f, 0.1f};
  manifest.int8 = {.calibrated = true, .fp32_layers = {"layer.1.ffn.out"}};
  manifest.gate_skipped = true;
  return manifest;
}

TEST(Manifest, ReadsBackWhatItWroteOfInt8) {
  const std::string json = ManifestToJson(Int8Sample());
  const auto read = ManifestFromJson(json, "manifest.json");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->HasPrecision("fp32"));
  EXPECT_TRUE(read->HasPrecision("int8"));
  EXPECT_EQ(read->self_checks[0].int8_logits, Int8Sample().self_checks[0].int8_logits);
  EXPECT_TRUE(read->int8.calibrated);
  EXPECT_EQ(read->int8.fp32_layers, std::vector<std::string>{"layer.1.ffn.out"});
  EXPECT_TRUE(read->gate_skipped);
  EXPECT_EQ(ManifestToJson(*read), json);
}

TEST(Manifest, TellsWhatTheGateSaid) {
  EXPECT_EQ(Sample().GateVerdict(), std::nullopt);
  Manifest manifest = Int8Sample();
  EXPECT_EQ(manifest.GateVerdict(), "skipped");
  manifest.gate_skipped = false;
  EXPECT_EQ(manifest.GateVerdict(), "passed");
}

TEST(Manifest, OfInt8AloneHasNoFp32Logits) {
  Manifest manifest = Int8Sample();
  manifest.precisions = {"int8"};
  const auto read = ManifestFromJson(ManifestToJson(manifest), "manifest.json");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_FALSE(read->HasPrecision("fp32"));
  EXPECT_TRUE(read->self_checks[0].fp32_logits.empty());
}

TEST(Manifest, GivesBackTheBitsOfLogits) {
  Manifest manifest = Int8Sample();
  float value = 0.1f;
  for (int i = 0; i < 2000; ++i) {
    value = std::nextafter(value * -1.0137f, 10.0f);
    manifest.self_checks[0].int8_logits = {value, 1 / value};
    const auto read = ManifestFromJson(ManifestToJson(manifest), "manifest.json");
    ASSERT_EQ(read->self_checks[0].int8_logits, manifest.self_checks[0].int8_logits);
    if (std::abs(value) > 1e30f) value = 1e-30f;
  }
}

TEST(Manifest, NamesTheFieldOfInt8ThatIsWrong) {
  const auto error = [](std::string_view from, std::string_view to) {
    std::string json = ManifestToJson(Int8Sample());
    const size_t at = json.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    const absl::Status status = ManifestFromJson(json.replace(at, from.size(), to), "m.json").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(error("\"int8_logits\"", "\"logits\""), HasSubstr("self_checks[0].int8_logits: missing"));
  EXPECT_THAT(error("[-1.4375, 0.1]", "[]"), HasSubstr("self_checks[0].int8_logits: expected 2 numbers"));
  EXPECT_THAT(error("\"int8\": {", "\"int4\": {"), HasSubstr("int8: missing"));
  EXPECT_THAT(error("\"layer.1.ffn.out\"", "7"), HasSubstr("int8.fp32_layers[0]: expected"));
  EXPECT_THAT(error("\"format_version\": 2", "\"format_version\": 1"),
              HasSubstr("int8 came with format_version 2, this one is 1"));
}

TEST(Manifest, NamesTheFieldThatIsWrong) {
  const auto error = [](std::string_view from, std::string_view to) {
    const absl::Status status = ErrorAfter(from, to);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(status.message(), HasSubstr("x/manifest.json: "));
    return std::string(status.message());
  };
  EXPECT_THAT(error("kubesentiment-package", "web-app"), HasSubstr("format: expected \"kubesentiment-package\""));
  EXPECT_THAT(error("tiny-model_1.0", "a/b"), HasSubstr("name: expected 1 to 128 letters"));
  EXPECT_THAT(error("\"heads\": 4", "\"heads\": 0"), HasSubstr("model.heads: expected an integer from 1 to 32"));
  EXPECT_THAT(error("1.25", "0"), HasSubstr("temperature: expected a number from 0.001 to 1000"));
  EXPECT_THAT(error("\"window\": 40", "\"window\": 41"), HasSubstr("window: expected an integer from 1 to 40, found"));
  EXPECT_THAT(error("[\"fp32\"]", "[\"fp16\"]"), HasSubstr("precisions[0]: expected fp32 or int8"));
  EXPECT_THAT(error("[\"fp32\"]", "[\"fp32\", \"fp32\"]"), HasSubstr("precisions[1]: \"fp32\" is given twice"));
  EXPECT_THAT(error("[\"fp32\"]", "[]"), HasSubstr("precisions: expected at least one"));
  EXPECT_THAT(error("\"portable.onnx\"", "\"../portable.onnx\""),
              HasSubstr("files[1].name: expected the name of a file"));
  EXPECT_THAT(error("\"portable.onnx\"", "\"manifest.json\""), HasSubstr("files[1].name: expected the name of a file"));
  EXPECT_THAT(error("\"portable.onnx\"", "\"fp32.onnx\""), HasSubstr("files[1].name: fp32.onnx is given twice"));
  EXPECT_THAT(error("\"size_bytes\": 12", "\"size_bytes\": -1"), HasSubstr("files[0].size_bytes: expected"));
  EXPECT_THAT(error(kHash, "abc"), HasSubstr("files[0].sha256: expected 64 hexadecimal digits"));
  EXPECT_THAT(error("[-1.5, 0.1]", "[-1.5]"), HasSubstr("self_checks[0].fp32_logits: expected 2 numbers"));
  EXPECT_THAT(error("[-1.5, 0.1]", "[-1.5, 1e300]"),
              HasSubstr("fp32_logits[1]: expected a number that a float can hold"));
  EXPECT_THAT(error("\"source_sha256\"", "\"source\""), HasSubstr("source_sha256: missing"));
}

TEST(Manifest, FailsWhereverItIsCut) {
  const std::string json = ManifestToJson(Sample());
  for (size_t size = 0; size + 2 < json.size(); ++size) {
    EXPECT_FALSE(ManifestFromJson(json.substr(0, size), "manifest.json").ok()) << size;
  }
}

TEST(ModelName, IsSafeInPathsAndLabels) {
  EXPECT_TRUE(IsModelName("sentiment-minilm-en"));
  EXPECT_TRUE(IsModelName(std::string(128, 'a')));
  for (const std::string name : {"", "a b", "org/model",
                                 "gr\xC3\xB6\xC3\x9F"
                                 "e"})
    EXPECT_FALSE(IsModelName(name)) << name;
  EXPECT_FALSE(IsModelName(std::string(129, 'a')));
}

}  // namespace
}  // namespace ks
