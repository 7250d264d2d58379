#include "engine/activation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <random>

namespace ks {
namespace {

using ::testing::ElementsAre;

std::vector<float> Scores(const std::vector<float>& logits, Activation activation, float temperature = 1) {
  std::vector<float> scores(logits.size());
  Activate(logits, activation, temperature, scores);
  return scores;
}

TEST(Softmax, MatchesKnownValues) {
  // Computed with 50 decimal digits: exp(x) / sum, rounded to 9.
  const std::vector<float> scores = Scores({1, 2, 3}, Activation::kSoftmax);
  EXPECT_FLOAT_EQ(scores[0], 0.090030573f);
  EXPECT_FLOAT_EQ(scores[1], 0.244728471f);
  EXPECT_FLOAT_EQ(scores[2], 0.665240956f);
}

TEST(Softmax, DividesByTheTemperature) {
  const std::vector<float> warm = Scores({1, 2, 3}, Activation::kSoftmax, 2);
  const std::vector<float> halved = Scores({0.5, 1, 1.5}, Activation::kSoftmax);
  for (size_t i = 0; i < warm.size(); ++i) EXPECT_FLOAT_EQ(warm[i], halved[i]);
}

TEST(Softmax, SumsToOneForAnyLogits) {
  std::mt19937 random(1);
  for (int round = 0; round < 1000; ++round) {
    std::normal_distribution<float> logit(0, static_cast<float>(1 + round % 50));
    std::vector<float> logits(1 + round % 40);
    for (float& x : logits) x = logit(random);
    const std::vector<float> scores = Scores(logits, Activation::kSoftmax);
    EXPECT_NEAR(std::accumulate(scores.begin(), scores.end(), 0.0), 1.0, 1e-6);
  }
}

TEST(Softmax, StandsTheLargestFloats) {
  const float huge = std::numeric_limits<float>::max();
  EXPECT_THAT(Scores({huge, -huge}, Activation::kSoftmax), ElementsAre(1, 0));
  EXPECT_THAT(Scores({huge, huge}, Activation::kSoftmax), ElementsAre(0.5, 0.5));
  EXPECT_THAT(Scores({-huge}, Activation::kSoftmax), ElementsAre(1));
}

TEST(Sigmoid, MatchesKnownValuesOnBothSides) {
  const std::vector<float> scores = Scores({0, 2, -2, 30, -30}, Activation::kSigmoid);
  EXPECT_FLOAT_EQ(scores[0], 0.5f);
  EXPECT_FLOAT_EQ(scores[1], 0.880797078f);
  EXPECT_FLOAT_EQ(scores[2], 0.119202922f);
  EXPECT_FLOAT_EQ(scores[3], 1.0f);
  EXPECT_FLOAT_EQ(scores[4], 9.357622969e-14f);  // 1 - sigmoid(30) in floats would give 0
  const float huge = std::numeric_limits<float>::max();
  EXPECT_THAT(Scores({huge, -huge}, Activation::kSigmoid), ElementsAre(1, 0));
}

TEST(Sigmoid, DividesByTheTemperature) { EXPECT_FLOAT_EQ(Scores({4}, Activation::kSigmoid, 2)[0], 0.880797078f); }

TEST(NoActivation, LeavesTheLogitsAloneWhateverTheTemperature) {
  EXPECT_THAT(Scores({-3.25, 7}, Activation::kNone, 5), ElementsAre(-3.25, 7));
}

TEST(Activate, WorksInPlace) {
  std::vector<float> values = {1, 2, 3};
  Activate(values, Activation::kSoftmax, 1, values);
  EXPECT_EQ(values, Scores({1, 2, 3}, Activation::kSoftmax));
}

TEST(TopScores, AreSortedWithTiesInTheOrderOfLabels) {
  const std::vector<float> scores = {0.2f, 0.3f, 0.2f, 0.3f};
  EXPECT_THAT(TopScores(scores, 0),
              ElementsAre(LabelScore{1, 0.3f}, LabelScore{3, 0.3f}, LabelScore{0, 0.2f}, LabelScore{2, 0.2f}));
  EXPECT_THAT(TopScores(scores, 2), ElementsAre(LabelScore{1, 0.3f}, LabelScore{3, 0.3f}));
  EXPECT_THAT(TopScores(scores, 9), ::testing::SizeIs(4));
}

}  // namespace
}  // namespace ks
