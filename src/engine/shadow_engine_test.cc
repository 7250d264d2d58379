// Canary and shadow in the engine: who answers, and that the shadow is in nobody's way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <random>

#include "base/thread.h"
#include "engine/engine.h"
#include "engine/error.h"
#include "engine/testing/tiny_model.h"

namespace ks {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::Pair;

class ShadowEngineTest : public ::testing::Test {
 protected:
  ~ShadowEngineTest() override { gate_.Open(); }

  // "onnx" answers; "pytorch" answers too and has a shadow, which waits at the gate and then does what `hook` says.
  void Start(const RoutingOptions& routing, FakeBackend::Hook hook = nullptr, int64_t max_shadow_tokens = 1000) {
    model_ = TinyModel({.groups = {"onnx", "pytorch"}, .workers = 2, .shadow = [&] {
                          return std::make_unique<FakeBackend>(FakeFacts(),
                                                               [wait = gate_.hook(), hook](const PackedBatch& batch) {
                                                                 const absl::Status status = wait(batch);
                                                                 return status.ok() && hook ? hook(batch) : status;
                                                               });
                        }});
    engine_ = *Engine::Create(model_, {.routing = routing, .max_shadow_tokens = max_shadow_tokens}, metrics_, clock_);
  }

  absl::StatusOr<ClassifyResult> Classify(const std::string& text, const std::string& backend = "") {
    return engine_->Classify(Inputs({text}), {.backend = backend});
  }

  ManualClock clock_;
  CountingMetrics metrics_;
  FakeGate gate_;
  std::shared_ptr<const ServedModel> model_;
  std::unique_ptr<Engine> engine_;  // last: gone before what it uses
};

const RoutingOptions kShadowAll = {.shadow = "pytorch", .shadow_share = 1};

TEST_F(ShadowEngineTest, LetsTheCanaryAnswerItsShare) {
  Start({.canary = "pytorch", .canary_share = 0.25});
  int canary = 0;
  for (int i = 0; i < 100; ++i) canary += Classify(TinyText(3, i))->backend == "pytorch" ? 1 : 0;
  EXPECT_NEAR(canary, 25, 1);
  EXPECT_THAT(metrics_.counts().predictions_by_backend, ElementsAre(Pair(0, 100 - canary), Pair(1, canary)));
  EXPECT_EQ(Classify("w1", "onnx")->backend, "onnx");
  EXPECT_EQ(CodeOf(Classify("w1", "pytorch").status()), ErrorCode::kUnsupportedBackend);
}

TEST_F(ShadowEngineTest, RefusesRoutingThatCannotBeFollowed) {
  const auto engine = Engine::Create(TinyModel(), {.routing = {.shadow = "pytorch"}}, metrics_, clock_);
  EXPECT_EQ(engine.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(engine.status().message(), "shadow-backend: the model was not loaded for the backend pytorch");
}

TEST_F(ShadowEngineTest, ComparesWhatTheDefaultAnswered) {
  Start({.allowed = {"pytorch"}, .shadow = "pytorch", .shadow_share = 1});
  gate_.Open();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Classify(TinyText(3, i))->backend, "onnx");
  EXPECT_EQ(Classify(TinyText(3), "pytorch")->backend, "pytorch") << "answered by it, so not compared";
  metrics_.WaitForShadow(ShadowOutcome::kCompared, 20);
  EXPECT_EQ(metrics_.counts().shadow_texts[ShadowOutcome::kCompared], 20);
  EXPECT_EQ(metrics_.counts().other_label, 0);
  EXPECT_EQ(metrics_.counts().largest_difference, 0);
  EXPECT_THAT(metrics_.counts().predictions_by_backend, ElementsAre(Pair(0, 20), Pair(1, 1)))
      << "the shadow's answers are nobody's";
  EXPECT_EQ(metrics_.counts().runs, 21) << "nor are its runs counted among those that answered";
}

// The activation, top_k and windows that a request asks for change nothing of the comparison.
TEST_F(ShadowEngineTest, ComparesTheModelsOwnScores) {
  Start(kShadowAll);
  gate_.Open();
  const std::string longer = TinyText(200);
  ASSERT_TRUE(engine_
                  ->Classify(Inputs({longer, "w1"}),
                             {.top_k = 1, .activation = Activation::kNone, .long_text = LongText::kWindows})
                  .ok());
  metrics_.WaitForShadow(ShadowOutcome::kCompared, 2);
  EXPECT_EQ(metrics_.counts().largest_difference, 0);
}

TEST_F(ShadowEngineTest, AnswersWhileTheShadowIsStuck) {
  Start(kShadowAll);
  for (int i = 0; i < 50; ++i) {
    const std::string text = TinyText(10, i);
    const absl::StatusOr<ClassifyResult> result = Classify(text);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_THAT(result->results[0].logits, ElementsAreArray(ExpectedLogits(*model_, text)));
  }
  EXPECT_EQ(engine_->state().queue_tokens, 0) << "what waits for the shadow is not in the queue";
  EXPECT_FALSE(engine_->state().stalled);
  EXPECT_TRUE(engine_->Drain(seconds(1))) << "nor does draining wait for it: time stands still";
}

TEST_F(ShadowEngineTest, DropsWhatTheShadowCannotTakeAndAnswersIt) {
  Start(kShadowAll, nullptr, 30);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Classify(TinyText(10, i)).ok());  // 12 tokens each: two fit
  gate_.Open();
  metrics_.WaitForShadow(ShadowOutcome::kCompared, 2);
  EXPECT_EQ(metrics_.counts().shadow_texts[ShadowOutcome::kDropped], 8);
}

TEST_F(ShadowEngineTest, FailsNoAnswerWhereTheShadowFails) {
  Start(kShadowAll, [](const PackedBatch&) { return absl::InternalError("out of order"); });
  gate_.Open();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(Classify(TinyText(3, i)).ok());
  metrics_.WaitForShadow(ShadowOutcome::kFailed, 10);
}

TEST_F(ShadowEngineTest, DoesNotShadowWhatFailed) {
  Start(kShadowAll);
  gate_.Open();
  EXPECT_FALSE(Classify("\xff").ok());
  EXPECT_FALSE(engine_->Classify(Inputs({"w1"}), {.deadline = clock_.Now()}).ok());
  EXPECT_TRUE(Classify("w1").ok());
  metrics_.WaitForShadow(ShadowOutcome::kCompared, 1);
  EXPECT_EQ(metrics_.counts().shadow_texts.size(), 1u);
}

TEST_F(ShadowEngineTest, GivesEachCallerItsOwnAnswersUnderLoad) {
  Start({.allowed = {"pytorch"}, .canary = "pytorch", .canary_share = 0.3, .shadow = "pytorch", .shadow_share = 0.7});
  gate_.Open();
  std::atomic<int> by_default = 0;
  {
    std::vector<std::unique_ptr<Thread>> clients;
    for (int t = 0; t < 6; ++t) {
      clients.push_back(std::make_unique<Thread>("client", [&, t] {
        std::mt19937 random(static_cast<unsigned>(t));
        for (int i = 0; i < 100; ++i) {
          const std::string text = TinyText(1 + static_cast<int>(random() % 60), static_cast<int>(random() % 10000));
          const absl::StatusOr<ClassifyResult> result = Classify(text, random() % 5 == 0 ? "pytorch" : "");
          ASSERT_TRUE(result.ok()) << result.status();
          ASSERT_THAT(result->results[0].logits, ElementsAreArray(ExpectedLogits(*model_, text)));
          by_default += result->backend == "onnx" ? 1 : 0;
        }
      }));
    }
  }
  engine_.reset();
  CountingMetrics::Counts counts = metrics_.counts();
  const int offered = counts.shadow_texts[ShadowOutcome::kCompared] + counts.shadow_texts[ShadowOutcome::kDropped];
  EXPECT_LE(offered, by_default * 0.7 + 4) << "some may have been left waiting at the end";
  EXPECT_GT(offered, 0);
  EXPECT_EQ(counts.other_label, 0);
  EXPECT_EQ(counts.largest_difference, 0);
}

}  // namespace
}  // namespace ks
