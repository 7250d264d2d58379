#include "measure/layers.h"

#include "backend/fake/fake_backend.h"
#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {
using testing::HasSubstr;

// Shows hidden states of width 2 made of the ids; `disturb` changes those of one tap for ids above 100.
class TracedBackend final : public Backend {
 public:
  struct Behaviour {
    std::string precision = "fp32";
    std::string disturbed_tap = {};
    float disturbance = 0;
    bool first_token_of_last = false;
    int layers = 2;
  };
  explicit TracedBackend(const Behaviour& behaviour) : behaviour_(behaviour) { facts_.precision = behaviour.precision; }
  const BackendFacts& facts() const override { return facts_; }
  absl::StatusOr<Logits> Run(const PackedBatch& batch) override {
    return Logits{.values = std::vector<float>(3), .sequences = batch.sequences(), .classes = 3};
  }
  absl::StatusOr<Logits> RunTraced(const PackedBatch& batch, const TapSink& sink) override {
    Show("embeddings", batch, batch.tokens(), sink);
    for (int i = 0; i < behaviour_.layers; ++i) {
      const bool cut = behaviour_.first_token_of_last && i + 1 == behaviour_.layers;
      Show(Cat("layer.", i), batch, cut ? 1 : batch.tokens(), sink);
    }
    return Run(batch);
  }

 private:
  void Show(const std::string& tap, const PackedBatch& batch, int tokens, const TapSink& sink) const {
    std::vector<float> hidden;
    for (int t = 0; t < tokens; ++t) {
      const float off = tap == behaviour_.disturbed_tap && batch.input_ids[t] > 100 ? behaviour_.disturbance : 0;
      hidden.insert(hidden.end(), {3 + 3 * off, 4 + 4 * off});
    }
    sink({tap, hidden, 2});
  }

  const Behaviour behaviour_;
  BackendFacts facts_ = FakeFacts();
};

const TokenizedTexts kTexts = {.ids = {1, 2, 3, 101, 102, 4}, .offsets = {0, 3, 5, 6}};

TEST(CompareLayers, FindsNothingBetweenEquals) {
  TracedBackend one({}), two({});
  const auto found = CompareLayers(kTexts, one, two, nullptr);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->texts, 3);
  ASSERT_EQ(found->layers.size(), 3u);
  EXPECT_EQ(found->layers[0].tap, "embeddings");
  EXPECT_EQ(found->layers[2].tap, "layer.1");
  EXPECT_EQ(found->layers[2].difference, 0);
  EXPECT_EQ(found->FirstOutside(), nullptr);
}

TEST(CompareLayers, NamesTheFirstLayerAndTheTexts) {
  TracedBackend reference({});
  TracedBackend candidate({.disturbed_tap = "layer.0", .disturbance = 0.01f});
  const auto found = CompareLayers(kTexts, reference, candidate, nullptr);
  ASSERT_TRUE(found.ok()) << found.status();
  const LayerDifference* first = found->FirstOutside();
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->tap, "layer.0");
  EXPECT_EQ(first->outside, 1);
  EXPECT_EQ(first->worst[0].example, 1);
  EXPECT_NEAR(first->worst[0].difference, 0.01, 1e-6);
  EXPECT_NEAR(first->difference, 0.01 * std::sqrt(2.0 / 6), 1e-6);  // two of six tokens
  EXPECT_EQ(first->worst[1].difference, 0);
}

TEST(CompareLayers, AllowsInt8WhatRoundingLeaves) {
  TracedBackend reference({});
  TracedBackend int8({.precision = "int8", .disturbed_tap = "layer.1", .disturbance = 0.07f});
  const auto found = CompareLayers(kTexts, reference, int8, nullptr);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->FirstOutside(), nullptr);
  TracedBackend broken({.precision = "int8", .disturbed_tap = "embeddings", .disturbance = 0.01f});
  const auto worse = CompareLayers(kTexts, reference, broken, nullptr);
  ASSERT_TRUE(worse.ok()) << worse.status();
  ASSERT_NE(worse->FirstOutside(), nullptr);
  EXPECT_EQ(worse->FirstOutside()->tap, "embeddings");
}

TEST(CompareLayers, ComparesTheFirstTokenWhereOneSideHasNoOther) {
  TracedBackend whole({});
  TracedBackend cut({.first_token_of_last = true});
  for (const bool swapped : {false, true}) {
    const auto found =
        swapped ? CompareLayers(kTexts, cut, whole, nullptr) : CompareLayers(kTexts, whole, cut, nullptr);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->FirstOutside(), nullptr);
  }
}

TEST(CompareLayers, RefusesSidesOfDifferentDepthAndThoseWithoutTaps) {
  TracedBackend two({}), three({.layers = 3});
  const auto deeper = CompareLayers(kTexts, two, three, nullptr);
  EXPECT_EQ(deeper.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(deeper.status().message()), HasSubstr("3 taps, the candidate 4"));
  FakeBackend untraced;
  EXPECT_EQ(CompareLayers(kTexts, two, untraced, nullptr).status().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace ks
