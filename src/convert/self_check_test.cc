#include "convert/self_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <string>

#include "base/json.h"
#include "base/mapped_file.h"
#include "base/sha256.h"
#include "base/testing/temp_directory.h"
#include "checkpoint/checkpoint.h"
#include "convert/testing/tiny_checkpoint.h"
#include "kernels/attention.h"
#include "model/config.h"
#include "model/weights.h"

namespace ks {
namespace {

using testing::HasSubstr;

constexpr float kInf = std::numeric_limits<float>::infinity();

// A checkpoint's weights as float32, by name.
struct Model {
  ClassifierSpec spec;
  std::map<std::string, std::vector<float>, std::less<>> tensors;

  TensorLookup Lookup() const {
    return [this](std::string_view name) -> std::span<const float> {
      const auto found = tensors.find(name);
      return found == tensors.end() ? std::span<const float>() : found->second;
    };
  }

  absl::StatusOr<std::vector<float>> Logits(std::span<const int32_t> ids,
                                            std::span<const int32_t> type_ids = {}) const {
    return ReferenceLogits(spec, Lookup(), ids, type_ids);
  }
};

Model Load(const std::filesystem::path& directory) {
  Model model;
  const auto config = ReadFile(directory / "config.json", 1 << 20);
  EXPECT_TRUE(config.ok()) << config.status();
  const auto spec = ParseConfig(*config, "config.json");
  EXPECT_TRUE(spec.ok()) << spec.status();
  model.spec = *spec;
  const auto checkpoint = Checkpoint::Open(directory);
  EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
  for (const TensorSpec& tensor : ExpectedTensors(*spec)) {
    const TensorView* view = checkpoint->Find(tensor.name);
    EXPECT_NE(view, nullptr) << tensor.name;
    std::vector<float>& values = model.tensors[tensor.name];
    values.resize(view->elements());
    EXPECT_TRUE(ToFloat32(*view, 0, values).ok()) << tensor.name;
  }
  return model;
}

Model Tiny(Architecture architecture) {
  const TempDirectory directory;
  const absl::Status status = WriteTinyCheckpoint(directory.path(), {.architecture = architecture});
  EXPECT_TRUE(status.ok()) << status;
  return Load(directory.path());
}

const std::filesystem::path kDefaultModel = std::filesystem::path(KS_SOURCE_DIR) / "models" / "default";

// What PyTorch computed; tests/golden/make_self_check.py.
JsonDocument Golden() {
  const auto text = ReadFile(std::filesystem::path(KS_SOURCE_DIR) / "tests" / "golden" / "self_check.json", 1 << 20);
  EXPECT_TRUE(text.ok()) << text.status();
  return *JsonDocument::Parse(*text, "self_check.json");
}

template <typename T>
std::vector<T> Numbers(const JsonValue& array) {
  std::vector<T> numbers;
  const auto values = array.AsArray();
  EXPECT_TRUE(values.ok()) << values.status();
  for (const JsonValue& value : *values) numbers.push_back(static_cast<T>(*value.AsDouble()));
  return numbers;
}

template <typename T>
std::vector<T> Numbers(const JsonObject& object, std::string_view key) {
  const auto array = object.Require(key);
  EXPECT_TRUE(array.ok()) << array.status();
  return Numbers<T>(*array);
}

// Within 1e-4 of the largest logit.
void ExpectNear(const absl::StatusOr<std::vector<float>>& logits, const std::vector<float>& expected) {
  ASSERT_TRUE(logits.ok()) << logits.status();
  ASSERT_EQ(logits->size(), expected.size());
  float largest = 0;
  for (float logit : expected) largest = std::max(largest, std::abs(logit));
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR((*logits)[i], expected[i], 1e-4f * largest) << "logit " << i;
}

TEST(SelfCheckTextsTest, AreThoseOfTheGoldenAndOneTakesSeveralBlocks) {
  const JsonDocument document = Golden();
  const auto texts = document.root().AsObject()->Require("texts")->AsArray();
  ASSERT_TRUE(texts.ok()) << texts.status();
  ASSERT_EQ(texts->size(), SelfCheckTexts().size());
  size_t longest = 0;
  for (size_t i = 0; i < texts->size(); ++i) {
    const JsonObject text = *(*texts)[i].AsObject();
    EXPECT_EQ(*text.RequireString("text"), SelfCheckTexts()[i]);
    longest = std::max(longest, Numbers<int32_t>(text, "ids").size());
  }
  EXPECT_GT(longest, size_t{kAttentionRows});
}

TEST(ReferenceLogits, EqualPyTorchOnTheDefaultModel) {
  const JsonDocument document = Golden();
  const JsonObject golden = *document.root().AsObject();
  const auto sha256 = Sha256HexOfFile(kDefaultModel / "model.safetensors");
  ASSERT_TRUE(sha256.ok()) << sha256.status();
  ASSERT_EQ(*golden.RequireString("model_sha256"), *sha256) << "the golden is of other weights: make it anew";

  const Model model = Load(kDefaultModel);
  const auto texts = golden.Require("texts")->AsArray();
  ASSERT_TRUE(texts.ok()) << texts.status();
  for (const JsonValue& value : *texts) {
    const JsonObject text = *value.AsObject();
    SCOPED_TRACE(*text.RequireString("text"));
    ExpectNear(model.Logits(Numbers<int32_t>(text, "ids")), Numbers<float>(text, "logits"));
  }
  const JsonObject pair = *golden.Require("pair")->AsObject();
  ExpectNear(model.Logits(Numbers<int32_t>(pair, "ids"), Numbers<int32_t>(pair, "type_ids")),
             Numbers<float>(pair, "logits"));
}

TEST(ReferenceLogits, EqualPyTorchOnBothArchitectures) {
  const JsonDocument document = Golden();
  const JsonObject tiny = *document.root().AsObject()->Require("tiny")->AsObject();
  const std::vector<int32_t> ids = Numbers<int32_t>(tiny, "ids");
  ExpectNear(Tiny(Architecture::kBert).Logits(ids), Numbers<float>(tiny, "bert"));
  ExpectNear(Tiny(Architecture::kDistilBert).Logits(ids), Numbers<float>(tiny, "distilbert"));
}

TEST(ReferenceLogits, HaveTheSameBitsOnEveryInstructionSet) {
  const std::vector<int32_t> ids = {2, 40, 7, 19, 55, 41, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 9, 3};
  for (const Architecture architecture : {Architecture::kBert, Architecture::kDistilBert}) {
    const Model model = Tiny(architecture);
    const auto expected = ReferenceLogits(model.spec, model.Lookup(), ids, {}, Kernels(IsaLevel::kScalar));
    ASSERT_TRUE(expected.ok()) << expected.status();
    for (const IsaLevel isa : SupportedIsas()) {
      EXPECT_EQ(*ReferenceLogits(model.spec, model.Lookup(), ids, {}, Kernels(isa)), *expected) << IsaName(isa);
    }
  }
}

TEST(ReferenceLogits, TakeNoTypeIdsAsZeros) {
  const Model model = Tiny(Architecture::kBert);
  const std::vector<int32_t> ids = {2, 9, 3};
  EXPECT_EQ(*model.Logits(ids), *model.Logits(ids, std::vector<int32_t>{0, 0, 0}));
  EXPECT_NE(*model.Logits(ids), *model.Logits(ids, std::vector<int32_t>{0, 1, 1}));
}

TEST(ReferenceLogits, IgnoreTypeIdsWhereTheModelHasNone) {
  const Model model = Tiny(Architecture::kDistilBert);
  const std::vector<int32_t> ids = {2, 9, 3};
  EXPECT_EQ(*model.Logits(ids), *model.Logits(ids, std::vector<int32_t>{0, 1, 1}));
}

void ExpectError(const absl::StatusOr<std::vector<float>>& logits, absl::StatusCode code, std::string_view part) {
  EXPECT_EQ(logits.status().code(), code) << logits.status();
  EXPECT_THAT(std::string(logits.status().message()), HasSubstr(std::string(part)));
}

TEST(ReferenceLogits, RefuseSequencesOutsideTheModel) {
  const Model model = Tiny(Architecture::kBert);
  const auto code = absl::StatusCode::kInvalidArgument;
  const std::vector<int32_t> ids = {2, 9, 3};
  ExpectError(model.Logits({}), code, "expected 1 to 40 tokens, found 0");
  ExpectError(model.Logits(std::vector<int32_t>(41, 2)), code, "expected 1 to 40 tokens, found 41");
  ExpectError(model.Logits(std::vector<int32_t>{2, -1}), code, "ids[1]: expected 0 to");
  ExpectError(model.Logits(std::vector<int32_t>{model.spec.encoder.vocab_size}), code, "ids[0]: expected 0 to");
  ExpectError(model.Logits(ids, std::vector<int32_t>{0, 0}), code, "expected 3 type ids, one for each token, found 2");
  ExpectError(model.Logits(ids, std::vector<int32_t>{0, 0, 2}), code, "type_ids[2]: expected 0 to 1, found 2");
}

TEST(ReferenceLogits, NameATensorThatIsMissingOrOfAnotherSize) {
  const Model whole = Tiny(Architecture::kBert);
  const std::vector<int32_t> ids = {2, 9, 3};
  for (const TensorSpec& tensor : ExpectedTensors(whole.spec)) {
    Model model = whole;
    model.tensors.erase(tensor.name);
    ExpectError(model.Logits(ids), absl::StatusCode::kNotFound, "tensor " + tensor.name + " is missing");
    model.tensors[tensor.name].assign(5, 1.0f);
    ExpectError(model.Logits(ids), absl::StatusCode::kInvalidArgument, "tensor " + tensor.name + ": expected ");
  }
}

TEST(ReferenceLogits, RefuseWeightsThatGiveNoNumber) {
  Model model = Tiny(Architecture::kBert);
  model.tensors["bert.pooler.dense.bias"][0] = std::nanf("");
  ExpectError(model.Logits(std::vector<int32_t>{2, 9, 3}), absl::StatusCode::kDataLoss,
              "expected a finite number, found nan");
  model = Tiny(Architecture::kBert);
  model.tensors["classifier.bias"][1] = kInf;
  ExpectError(model.Logits(std::vector<int32_t>{2, 9, 3}), absl::StatusCode::kDataLoss, "logit 1");
}

}  // namespace
}  // namespace ks
