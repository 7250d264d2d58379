#include "engine/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace ks {
namespace {

using ::testing::ElementsAre;

// Two texts of two classes: one of two windows (6 and 2 tokens), one of one part (5 tokens), truncated.
Request MakeRequest() {
  Request request;
  request.inputs.ids.resize(13);
  request.inputs.offsets = {0, 6, 8, 13};
  request.inputs.part_tokens = {6, 2, 5};
  request.inputs.texts = {{.first_part = 0, .parts = 2}, {.first_part = 2, .parts = 1, .truncated = true}};
  request.logits = {0.1f, 2.3f, 4, 0, 1, -1};
  request.part_runs.resize(3);
  return request;
}

float Sigmoid(float x) { return 1 / (1 + std::exp(-x)); }

TEST(MakeClassifications, GivesOneAnswerForEachText) {
  Request request = MakeRequest();
  request.activation = Activation::kSoftmax;
  const std::vector<Classification> results = MakeClassifications(request, 1);
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].tokens, 8);
  EXPECT_EQ(results[0].windows, 2);
  EXPECT_FALSE(results[0].truncated);
  EXPECT_EQ(results[1].tokens, 5);
  EXPECT_EQ(results[1].windows, 1);
  EXPECT_TRUE(results[1].truncated);
}

TEST(MakeClassifications, GivesOnePartItsOwnLogitsToTheBit) {
  Request request = MakeRequest();
  request.logits = {0, 0, 0, 0, 0.1f, -3.3333333f};
  EXPECT_THAT(MakeClassifications(request, 1)[1].logits, ElementsAre(0.1f, -3.3333333f));
}

TEST(MakeClassifications, WeighsTheProbabilitiesOfWindowsByTheirTokens) {
  Request request = MakeRequest();
  request.activation = Activation::kSoftmax;
  const Classification text = MakeClassifications(request, 1)[0];
  const float expected = (6 * Sigmoid(2.3f - 0.1f) + 2 * Sigmoid(-4)) / 8;  // softmax of two is a sigmoid
  ASSERT_EQ(text.scores.size(), 2u);
  EXPECT_EQ(text.scores[0].label, 1);
  EXPECT_NEAR(text.scores[0].score, expected, 1e-6);
  EXPECT_NEAR(text.scores[1].score, 1 - expected, 1e-6);
  EXPECT_NEAR(text.logits[0], (6 * 0.1 + 2 * 4) / 8, 1e-6);
  EXPECT_NEAR(text.logits[1], 6 * 2.3 / 8, 1e-6);
}

TEST(MakeClassifications, TakesTheMeanOfTheLogitsWithoutActivation) {
  Request request = MakeRequest();
  request.activation = Activation::kNone;
  const Classification text = MakeClassifications(request, 3)[0];
  EXPECT_EQ(text.scores[0].label, 1);
  EXPECT_EQ(text.scores[0].score, text.logits[1]);
  EXPECT_EQ(text.scores[1].score, text.logits[0]);
}

TEST(MakeClassifications, GivesEachTextTheTimeOfItsOwnRuns) {
  using std::chrono::milliseconds;
  Request request = MakeRequest();
  // Windows and the other text in one run of 7 ms.
  request.part_runs = {{milliseconds(7), true}, {milliseconds(7), false}, {milliseconds(7), false}};
  EXPECT_EQ(MakeClassifications(request, 1)[0].infer, milliseconds(7)) << "one run, whatever it held";
  EXPECT_EQ(MakeClassifications(request, 1)[1].infer, milliseconds(7));
  // The second window and the other text in a run of their own.
  request.part_runs = {{milliseconds(7), true}, {milliseconds(5), true}, {milliseconds(5), false}};
  EXPECT_EQ(MakeClassifications(request, 1)[0].infer, milliseconds(12));
  EXPECT_EQ(MakeClassifications(request, 1)[1].infer, milliseconds(5));
}

TEST(MakeClassifications, AppliesTemperatureAndTopK) {
  Request request = MakeRequest();
  request.activation = Activation::kSigmoid;
  request.top_k = 1;
  const Classification text = MakeClassifications(request, 2)[1];
  ASSERT_EQ(text.scores.size(), 1u);
  EXPECT_EQ(text.scores[0].label, 0);
  EXPECT_NEAR(text.scores[0].score, Sigmoid(0.5f), 1e-6);
  EXPECT_THAT(text.logits, ElementsAre(1, -1)) << "the logits are those before the temperature";
}

}  // namespace
}  // namespace ks
