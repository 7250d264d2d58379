// What the engine answers: results, options, the errors of an input. Refusals and deadlines are admission_test.cc's.
#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/activation.h"
#include "engine/error.h"
#include "engine/testing/tiny_model.h"

namespace ks {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::SizeIs;

class EngineTest : public ::testing::Test {
 protected:
  void Start(const TinyModelOptions& model_options = {}, const EngineOptions& options = {}) {
    model_ = TinyModel(model_options);
    engine_ = *Engine::Create(model_, options, metrics_, clock_);
  }

  absl::StatusOr<ClassifyResult> Classify(const std::vector<std::string>& texts, const ClassifyOptions& options = {}) {
    return engine_->Classify(Inputs(texts), options);
  }

  std::vector<LabelScore> ExpectedScores(const std::string& text, Activation activation, float temperature = 1) {
    std::vector<float> scores = ExpectedLogits(*model_, text);
    Activate(scores, activation, temperature, scores);
    return TopScores(scores, 0);
  }

  void ExpectError(const absl::StatusOr<ClassifyResult>& result, ErrorCode code, const std::string& message) {
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(CodeOf(result.status()), code);
    EXPECT_THAT(std::string(result.status().message()), HasSubstr(message));
  }

  ManualClock clock_;
  CountingMetrics metrics_;
  std::shared_ptr<const ServedModel> model_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, AnswersATextWithItsLogitsAndScores) {
  Start();
  const absl::StatusOr<ClassifyResult> result = Classify({TinyText(5)});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->backend, "fake");
  ASSERT_THAT(result->results, SizeIs(1));
  const Classification& text = result->results[0];
  EXPECT_THAT(text.logits, ElementsAreArray(ExpectedLogits(*model_, TinyText(5))));
  EXPECT_THAT(text.scores, ElementsAreArray(ExpectedScores(TinyText(5), Activation::kSoftmax)));
  EXPECT_EQ(text.tokens, 7);
  EXPECT_EQ(text.windows, 1);
  EXPECT_FALSE(text.truncated);
}

TEST_F(EngineTest, AnswersABatchInItsOrder) {
  Start({.workers = 3});
  std::vector<std::string> texts;
  for (int i = 0; i < 200; ++i) texts.push_back(TinyText(1 + i % 60, i));
  const absl::StatusOr<ClassifyResult> result = Classify(texts);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_THAT(result->results, SizeIs(texts.size()));
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_THAT(result->results[i].logits, ElementsAreArray(ExpectedLogits(*model_, texts[i]))) << i;
  }
}

TEST_F(EngineTest, AnswersAnEmptyTextFromItsSpecialTokensAlone) {
  Start();
  const absl::StatusOr<ClassifyResult> result = Classify({""});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->results[0].tokens, 2);
}

TEST_F(EngineTest, AppliesTheModelsActivationAndTemperature) {
  Manifest manifest = TinyManifest();
  manifest.spec.activation = Activation::kSigmoid;
  manifest.temperature = 2;
  Start({.manifest = manifest});
  const absl::StatusOr<ClassifyResult> result = Classify({TinyText(5)});
  EXPECT_THAT(result->results[0].scores, ElementsAreArray(ExpectedScores(TinyText(5), Activation::kSigmoid, 2)));
  EXPECT_THAT(result->results[0].logits, ElementsAreArray(ExpectedLogits(*model_, TinyText(5)))) << "stay raw";
}

TEST_F(EngineTest, AppliesTheActivationAndTopKThatACallNames) {
  Start();
  const absl::StatusOr<ClassifyResult> result = Classify({TinyText(5)}, {.top_k = 2, .activation = Activation::kNone});
  std::vector<LabelScore> expected = ExpectedScores(TinyText(5), Activation::kNone);
  expected.resize(2);
  EXPECT_THAT(result->results[0].scores, ElementsAreArray(expected));
}

TEST_F(EngineTest, RefusesATopKOutOfRange) {
  Start();
  ExpectError(Classify({TinyText(1)}, {.top_k = 4}), ErrorCode::kInvalidInput, "top_k: expected 1 to 3, found 4");
  ExpectError(Classify({TinyText(1)}, {.top_k = -1}), ErrorCode::kInvalidInput, "found -1");
}

TEST_F(EngineTest, CutsALongTextAndSaysSo) {
  Start();
  const absl::StatusOr<ClassifyResult> result = Classify({TinyText(63), TinyText(62), TinyText(1000)});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->results[0].truncated);
  EXPECT_FALSE(result->results[1].truncated);
  EXPECT_EQ(result->results[2].tokens, 64);
  EXPECT_THAT(result->results[0].logits, ElementsAreArray(ExpectedLogits(*model_, TinyText(62))));
  EXPECT_EQ(metrics_.counts().truncated, 2);
}

TEST_F(EngineTest, RunsALongTextInWindows) {
  Start();
  // 62 words of the first window, 10 of the second.
  const std::string first = TinyText(62, 7), second = TinyText(10, 9);
  const absl::StatusOr<ClassifyResult> result =
      Classify({first + " " + second}, {.activation = Activation::kNone, .long_text = LongText::kWindows});
  ASSERT_TRUE(result.ok()) << result.status();
  const Classification& text = result->results[0];
  EXPECT_EQ(text.windows, 2);
  EXPECT_EQ(text.tokens, 64 + 12);
  EXPECT_FALSE(text.truncated);
  const std::vector<float> a = ExpectedLogits(*model_, first), b = ExpectedLogits(*model_, second);
  for (size_t c = 0; c < 3; ++c) EXPECT_NEAR(text.logits[c], (64 * a[c] + 12 * b[c]) / 76, 1e-6);
}

TEST_F(EngineTest, RunsAShortTextTheSameWithWindows) {
  Start();
  const absl::StatusOr<ClassifyResult> result = Classify({TinyText(5)}, {.long_text = LongText::kWindows});
  EXPECT_EQ(result->results[0].windows, 1);
  EXPECT_THAT(result->results[0].logits, ElementsAreArray(ExpectedLogits(*model_, TinyText(5))));
}

TEST_F(EngineTest, TellsTheTextsOfAPairApart) {
  Start();
  const std::string a = TinyText(2, 1), b = TinyText(3, 2);
  const absl::StatusOr<ClassifyResult> result = engine_->Classify(std::vector<TextInput>{{a, b}, {a}}, {});
  ASSERT_TRUE(result.ok()) << result.status();
  Encoding pair;
  ASSERT_TRUE(model_->tokenizer().EncodePair(a, b, {}, pair).ok());
  EXPECT_THAT(pair.type_ids, ElementsAre(0, 0, 0, 0, 1, 1, 1, 1));
  EXPECT_THAT(result->results[0].logits, ElementsAreArray(FakeLogits(pair.ids, pair.type_ids, 3)));
  EXPECT_THAT(result->results[1].logits, ElementsAreArray(ExpectedLogits(*model_, a)));
}

TEST_F(EngineTest, GivesNoTypesToAModelThatHasNone) {
  Manifest manifest = TinyManifest();
  manifest.spec.encoder.type_vocab_size = 0;
  Start({.manifest = manifest});
  const std::string a = TinyText(2, 1), b = TinyText(3, 2);
  const absl::StatusOr<ClassifyResult> result = engine_->Classify(std::vector<TextInput>{{a, b}}, {});
  Encoding pair;
  ASSERT_TRUE(model_->tokenizer().EncodePair(a, b, {}, pair).ok());
  EXPECT_THAT(result->results[0].logits, ElementsAreArray(FakeLogits(pair.ids, {}, 3)));
}

TEST_F(EngineTest, RefusesWindowsOverAPair) {
  Start();
  const absl::StatusOr<ClassifyResult> result =
      engine_->Classify(std::vector<TextInput>{{"w1"}, {"w1", "w2"}}, {.long_text = LongText::kWindows});
  ExpectError(result, ErrorCode::kInvalidInput, "texts[1]: windows are not possible with a pair");
}

TEST_F(EngineTest, NamesTheTextThatIsNotUtf8) {
  Start();
  ExpectError(Classify({"w1", "w2", "w\xff"}), ErrorCode::kInvalidInput, "texts[2]: ");
  EXPECT_EQ(metrics_.counts().runs, 0) << "all or none";
}

TEST_F(EngineTest, RefusesAnEmptyBatch) {
  Start();
  ExpectError(Classify({}), ErrorCode::kBatchEmpty, "no text");
}

TEST_F(EngineTest, RefusesABatchOfTooManyTokens) {
  Start({}, {.max_batch_tokens = 100});
  EXPECT_TRUE(Classify(std::vector<std::string>(10, TinyText(8))).ok());
  ExpectError(Classify(std::vector<std::string>(11, TinyText(8))), ErrorCode::kBatchTooBig, "100 tokens");
  EXPECT_THAT(metrics_.counts().rejected, ElementsAre(Pair(RejectReason::kTooLarge, 1)));
}

TEST_F(EngineTest, AnswersFromTheBackendThatIsNamed) {
  Start({.groups = {"onnx", "pytorch"}}, {.routing = {.allowed = {"pytorch"}}});
  EXPECT_EQ(Classify({TinyText(1)})->backend, "onnx");
  EXPECT_EQ(Classify({TinyText(1)}, {.backend = "pytorch"})->backend, "pytorch");
  ExpectError(Classify({TinyText(1)}, {.backend = "tensorflow"}), ErrorCode::kUnsupportedBackend,
              "expected one of onnx, pytorch; found \"tensorflow\"");
  ExpectError(Classify({TinyText(1)}, {.backend = "a text\nthat strayed"}), ErrorCode::kUnsupportedBackend,
              "found a name of 19 bytes");
}

TEST_F(EngineTest, FailsWithWhatTheBackendSays) {
  Start({.hook = [](const PackedBatch&) { return absl::InternalError("out of order"); }});
  ExpectError(Classify({TinyText(1)}), ErrorCode::kInferenceFailed, "inference failed: out of order");
  EXPECT_EQ(engine_->state().queue_tokens, 0);
}

TEST_F(EngineTest, CountsWhatItDid) {
  Start();
  const absl::StatusOr<ClassifyResult> result = Classify({TinyText(5), TinyText(6)});
  const CountingMetrics::Counts counts = metrics_.counts();
  EXPECT_EQ(counts.runs, 1);
  EXPECT_EQ(counts.run_sequences, 2);
  EXPECT_EQ(counts.run_tokens, 15);
  EXPECT_EQ(counts.waits, 1);
  EXPECT_EQ(counts.tokens, 15);
  std::map<int, int> labels;
  double confidence = 0;
  for (const Classification& text : result->results) {
    ++labels[text.scores[0].label];
    confidence += static_cast<double>(text.scores[0].score);
  }
  EXPECT_EQ(counts.predictions, labels);
  EXPECT_DOUBLE_EQ(counts.confidence_sum, confidence);
  EXPECT_EQ(counts.queue_tokens, 0);
  EXPECT_EQ(counts.queue_limit, 131072);
}

TEST_F(EngineTest, TellsHowLongEachStageTook) {
  FakeGate gate;
  Start({.hook = [&, wait = gate.hook()](const PackedBatch& batch) {
    const absl::Status status = wait(batch);
    clock_.Advance(std::chrono::milliseconds(5));
    return status;
  }});
  const PendingAnswer first = SubmitAsync(*engine_, {TinyText(1)});
  gate.WaitForArrivals(1);
  const PendingAnswer second = SubmitAsync(*engine_, {TinyText(2)});
  clock_.Advance(std::chrono::milliseconds(20));
  gate.Open();
  EXPECT_EQ(first.Get()->times.infer, std::chrono::milliseconds(25));
  EXPECT_EQ(first.Get()->times.queue, Duration(0));
  EXPECT_EQ(second.Get()->times.infer, std::chrono::milliseconds(5));
  EXPECT_EQ(second.Get()->times.queue, std::chrono::milliseconds(25));
  EXPECT_EQ(metrics_.counts().longest_wait, std::chrono::milliseconds(25));
}

TEST_F(EngineTest, TellsForEachTextHowLongItsOwnRunTook) {
  Start({.hook =
             [&](const PackedBatch& batch) {
               clock_.Advance(std::chrono::milliseconds(batch.tokens()));
               return absl::OkStatus();
             }},
        {.run_tokens = 64});
  const absl::StatusOr<ClassifyResult> result = Classify({TinyText(62), TinyText(8), TinyText(18)});
  EXPECT_EQ(result->results[0].infer, std::chrono::milliseconds(64));
  EXPECT_EQ(result->results[1].infer, std::chrono::milliseconds(10 + 20)) << "the third ran with it";
  EXPECT_EQ(result->results[2].infer, std::chrono::milliseconds(10 + 20));
  EXPECT_EQ(result->times.infer, std::chrono::milliseconds(94));
}

TEST(EngineCreate, RefusesSettingsUnderWhichSomethingLegalCouldNeverRun) {
  ManualClock clock;
  CountingMetrics metrics;
  const auto refuses = [&](const TinyModelOptions& model, const EngineOptions& options, const std::string& message) {
    const auto engine = Engine::Create(TinyModel(model), options, metrics, clock);
    EXPECT_EQ(engine.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(engine.status().message()), HasSubstr(message));
  };
  refuses({}, {.max_queue_tokens = 999, .max_batch_tokens = 1000},
          "max-queue-tokens is 999, less than max-batch-tokens, 1000");
  refuses({}, {.max_batch_tokens = 63}, "max-batch-tokens is 63, less than the model's window, 64");
  refuses({}, {.run_tokens = 63}, "the tokens of a run is 63, less than the model's window, 64");

  BackendFacts facts = FakeFacts();
  facts.max_tokens = 63;
  refuses({.facts = facts}, {}, "backend fake: max_tokens is 63");
  facts = FakeFacts();
  facts.max_tokens_per_sequence = 10;
  refuses({.facts = facts}, {}, "max_tokens_per_sequence is 10");
  facts = FakeFacts();
  facts.classes = 2;
  refuses({.facts = facts}, {}, "classes: expected 3 as the manifest has labels, found 2");
  refuses({.groups = {}}, {}, "the model has no backend");
  refuses({.workers = 0}, {}, "backend: the backend fake has no worker");
  Manifest manifest = TinyManifest();
  manifest.temperature = 0;
  refuses({.manifest = manifest}, {}, "temperature: expected more than 0, found 0");
  manifest = TinyManifest();
  manifest.window = 0;
  refuses({.manifest = manifest}, {}, "window: expected at least 1, found 0");
}

}  // namespace
}  // namespace ks
