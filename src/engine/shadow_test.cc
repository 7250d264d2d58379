// The shadow alone: what it counts, what it drops, how it ends.
#include "engine/shadow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <thread>

#include "engine/testing/tiny_model.h"

namespace ks {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

// Gives each sequence the logits {0, 0, tokens}, and remembers the runs.
class LengthBackend final : public Backend {
 public:
  explicit LengthBackend(FakeBackend::Hook hook = nullptr) : hook_(std::move(hook)) { facts_.max_tokens = 512; }
  const BackendFacts& facts() const override { return facts_; }
  absl::StatusOr<Logits> Run(const PackedBatch& batch) override {
    runs.push_back(batch.tokens());
    policy = sched_getscheduler(0);
    if (hook_) {
      if (const absl::Status status = hook_(batch); !status.ok()) return status;
    }
    Logits logits = {.values = {}, .sequences = batch.sequences(), .classes = 3};
    for (int i = 0; i < batch.sequences(); ++i) {
      const auto b = static_cast<size_t>(i);
      logits.values.insert(logits.values.end(), {0, 0, static_cast<float>(batch.offsets[b + 1] - batch.offsets[b])});
    }
    return logits;
  }

  std::vector<int> runs;  // tokens of each
  int policy = -1;        // of the thread that ran

 private:
  const FakeBackend::Hook hook_;
  BackendFacts facts_ = FakeFacts();
};

// An answered request with parts of these lengths, one a text, and logits {0, 0, `third`} for each.
std::shared_ptr<Request> Answered(const std::vector<int>& lengths, std::vector<float> third) {
  static const std::shared_ptr<const ServedModel> model = TinyModel();
  auto request = std::make_shared<Request>();
  request->model = model;
  request->inputs.offsets = {0};
  for (size_t i = 0; i < lengths.size(); ++i) {
    request->inputs.ids.resize(request->inputs.ids.size() + static_cast<size_t>(lengths[i]), 4);
    request->inputs.offsets.push_back(static_cast<int32_t>(request->inputs.ids.size()));
    request->inputs.part_tokens.push_back(lengths[i]);
    request->inputs.texts.push_back({.first_part = static_cast<int>(i), .parts = 1});
    request->logits.insert(request->logits.end(), {0, 0, third[i]});
  }
  return request;
}

Classification Scores(std::vector<LabelScore> scores) {
  Classification text;
  text.scores = std::move(scores);
  return text;
}

TEST(Difference, ComparesLabelsAndScoresByLabel) {
  const Classification first = Scores({{2, 0.75f}, {0, 0.25f}, {1, 0}});
  ShadowDifference difference = Difference(first, Scores({{2, 0.5f}, {1, 0.5f}, {0, 0}}));
  EXPECT_TRUE(difference.same_label);
  EXPECT_EQ(difference.score, 0.25) << "of label 2";
  EXPECT_EQ(difference.largest, 0.5) << "of label 1";
  difference = Difference(first, Scores({{0, 1}, {2, 0}, {1, 0}}));
  EXPECT_FALSE(difference.same_label);
  EXPECT_EQ(difference.score, 0.75);
  EXPECT_EQ(Difference(first, first).largest, 0);
}

TEST(Shadow, ComparesEachTextAtIdlePriority) {
  CountingMetrics metrics;
  LengthBackend backend;
  Shadow shadow(backend, {.run_tokens = 512}, 1000, metrics);
  shadow.Offer(Answered({3, 5}, {3, -5}));  // the first the same, the second with another label
  metrics.WaitForShadow(ShadowOutcome::kCompared, 2);
  EXPECT_EQ(metrics.counts().other_label, 1);
  EXPECT_GT(metrics.counts().largest_difference, 0.9);
  EXPECT_EQ(backend.policy, SCHED_IDLE);
  EXPECT_THAT(backend.runs, ElementsAre(8));
}

TEST(Shadow, SplitsARequestIntoRuns) {
  CountingMetrics metrics;
  LengthBackend backend;
  Shadow shadow(backend, {.run_tokens = 10}, 1000, metrics);
  shadow.Offer(Answered({4, 6, 1, 10, 3}, {4, 6, 1, 10, 3}));
  metrics.WaitForShadow(ShadowOutcome::kCompared, 5);
  EXPECT_THAT(backend.runs, ElementsAre(10, 1, 10, 3));
  EXPECT_EQ(metrics.counts().largest_difference, 0) << "each row came back to its own text";
}

TEST(Shadow, CountsPaddingWhereTheBackendPads) {
  CountingMetrics metrics;
  LengthBackend backend;
  Shadow shadow(backend, {.run_tokens = 10, .pads = true}, 1000, metrics);
  shadow.Offer(Answered({1, 5, 1, 1}, {1, 5, 1, 1}));
  metrics.WaitForShadow(ShadowOutcome::kCompared, 4);
  EXPECT_THAT(backend.runs, ElementsAre(6, 2)) << "2 * 5 fill the run";
}

TEST(Shadow, DropsAndCountsWhatDoesNotFit) {
  CountingMetrics metrics;
  FakeGate gate;
  LengthBackend backend(gate.hook());
  Shadow shadow(backend, {.run_tokens = 512}, 20, metrics);
  shadow.Offer(Answered({11}, {11}));
  gate.WaitForArrivals(1);
  shadow.Offer(Answered({5, 5}, {5, 5}));  // 21 with what runs
  shadow.Offer(Answered({9}, {9}));        // fits to the token
  shadow.Offer(Answered({1}, {1}));
  EXPECT_THAT(metrics.counts().shadow_texts, ElementsAre(Pair(ShadowOutcome::kDropped, 3)));
  gate.Open();
  metrics.WaitForShadow(ShadowOutcome::kCompared, 2);
  EXPECT_THAT(backend.runs, ElementsAre(11, 9));
}

TEST(Shadow, MakesRoomAgain) {
  CountingMetrics metrics;
  LengthBackend backend;
  Shadow shadow(backend, {.run_tokens = 512}, 20, metrics);
  for (int i = 1; i <= 10; ++i) {
    shadow.Offer(Answered({10}, {10}));
    metrics.WaitForShadow(ShadowOutcome::kCompared, i);
  }
  EXPECT_EQ(metrics.counts().shadow_texts.count(ShadowOutcome::kDropped), 0u);
}

TEST(Shadow, CountsWhatItsBackendFailsAndGoesOn) {
  CountingMetrics metrics;
  LengthBackend backend(
      [](const PackedBatch& batch) { return batch.tokens() == 7 ? absl::InternalError("seven") : absl::OkStatus(); });
  Shadow shadow(backend, {.run_tokens = 512}, 1000, metrics);
  shadow.Offer(Answered({3, 4}, {3, 4}));
  metrics.WaitForShadow(ShadowOutcome::kFailed, 2);
  shadow.Offer(Answered({3}, {3}));
  metrics.WaitForShadow(ShadowOutcome::kCompared, 1);
}

// The destructor begins while the first of 5000 runs is under way, and waits for few of them.
TEST(Shadow, EndsAfterTheRunUnderWay) {
  CountingMetrics metrics;
  std::atomic<bool> running = false, ending = false;
  LengthBackend backend([&](const PackedBatch&) {
    running = true;
    while (!ending) std::this_thread::yield();
    return absl::OkStatus();
  });
  {
    Shadow shadow(backend, {.run_tokens = 10}, 100000, metrics);
    shadow.Offer(Answered(std::vector<int>(5000, 10), std::vector<float>(5000, 10)));
    shadow.Offer(Answered({5}, {5}));
    while (!running) std::this_thread::yield();
    ending = true;
  }
  EXPECT_LT(backend.runs.size(), 5000u);
  EXPECT_THAT(metrics.counts().shadow_texts, ElementsAre());
}

}  // namespace
}  // namespace ks
