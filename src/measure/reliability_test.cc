#include "measure/reliability.h"

#include <cmath>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {

struct Texts {
  int classes = 2;
  std::vector<float> values = {};
  std::vector<int> labels = {};

  void Add(const std::vector<float>& logits, int label) {
    values.insert(values.end(), logits.begin(), logits.end());
    labels.push_back(label);
  }
  // `texts` of two labels whose first has this probability; it is right for `right` of them.
  void AddMany(double probability, int texts, int right) {
    const auto odds = static_cast<float>(std::log(probability / (1 - probability)));
    for (int i = 0; i < texts; ++i) Add({odds, 0}, i < right ? 0 : 1);
  }
  LabelledLogits view() const { return {.values = values, .labels = labels, .classes = classes}; }
};

TEST(Reliability, WeighsTheGapOfEachBinByItsTexts) {
  Texts texts;
  texts.AddMany(0.70, 20, 12);  // bin 10 of 15; says 0.1 too much
  texts.AddMany(0.90, 10, 10);  // bin 13; says 0.1 too little, which makes nothing good
  const Reliability found = MeasureReliability(texts.view(), 1);
  EXPECT_NEAR(found.error, 0.1, 1e-6);
  ASSERT_EQ(found.bins.size(), 15u);
  EXPECT_EQ(found.bins[10].texts, 20);
  EXPECT_NEAR(found.bins[10].confidence, 0.7, 1e-6);
  EXPECT_DOUBLE_EQ(found.bins[10].accuracy, 0.6);
  EXPECT_EQ(found.bins[13].texts, 10);
  EXPECT_EQ(found.bins[11].texts, 0);
  const double loss = -(12 * std::log(0.7) + 8 * std::log(0.3) + 10 * std::log(0.9)) / 30;
  EXPECT_NEAR(found.log_loss, loss, 1e-6);
}

TEST(Reliability, TakesTheMeanWithinABin) {
  Texts texts;
  texts.AddMany(0.68, 10, 10);
  texts.AddMany(0.72, 30, 10);
  EXPECT_NEAR(MeasureReliability(texts.view(), 1).error, 0.71 - 0.5, 1e-6);
}

TEST(Reliability, DividesTheLogitsByTheTemperature) {
  Texts texts;
  texts.Add({2 * std::log(9.0f), 0}, 0);
  const Reliability found = MeasureReliability(texts.view(), 2);
  EXPECT_EQ(found.temperature, 2);
  EXPECT_NEAR(found.error, 0.1, 1e-6);
  EXPECT_NEAR(found.log_loss, -std::log(0.9), 1e-6);
}

TEST(Reliability, PutsCertaintyIntoTheLastBinAndTheFirstOfEqualsOnTop) {
  Texts texts;
  texts.Add({1000, 0}, 0);
  texts.Add({5, 5}, 0);
  texts.Add({5, 5}, 1);
  const Reliability found = MeasureReliability(texts.view(), 1);
  EXPECT_EQ(found.bins[14].texts, 1);
  EXPECT_EQ(found.bins[7].texts, 2);
  EXPECT_EQ(found.bins[7].accuracy, 0.5);
  EXPECT_EQ(found.error, 0);
}

TEST(Reliability, IsZeroOfNoTexts) {
  EXPECT_EQ(MeasureReliability(Texts{}.view(), 1).error, 0);
  EXPECT_EQ(MeasureReliability(Texts{}.view(), 1).log_loss, 0);
}

// All texts have the same logits, so the best probability is the share that is right.
TEST(FitTemperature, FindsTheSmallestLogLoss) {
  Texts two;
  for (int i = 0; i < 4; ++i) two.Add({0, 2}, i == 0 ? 0 : 1);
  EXPECT_NEAR(FitTemperature(two.view()) / (2 / std::log(3.0)), 1, 1e-6);
  Texts three = {.classes = 3};
  for (int i = 0; i < 5; ++i) three.Add({7, 4, 4}, i == 0 ? 1 : 0);
  EXPECT_NEAR(FitTemperature(three.view()) / (3 / std::log(8.0)), 1, 1e-6);
}

TEST(FitTemperature, UndoesOverconfidence) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0, 2);
  std::uniform_real_distribution<double> uniform;
  Texts texts = {.classes = 3};
  for (int i = 0; i < 20000; ++i) {
    const std::vector<float> logits = {normal(random), normal(random), normal(random)};
    std::vector<double> odds;
    for (const float logit : logits) odds.push_back(std::exp(logit));
    double left = uniform(random) * (odds[0] + odds[1] + odds[2]);
    int label = 0;
    while (label < 2 && left > odds[label]) left -= odds[label++];
    texts.Add({2.5f * logits[0], 2.5f * logits[1], 2.5f * logits[2]}, label);
  }
  const double temperature = FitTemperature(texts.view());
  EXPECT_NEAR(temperature, 2.5, 0.1);
  EXPECT_GT(MeasureReliability(texts.view(), 1).error, 0.1);
  EXPECT_LT(MeasureReliability(texts.view(), temperature).error, 0.01);
}

TEST(FitTemperature, StopsAtItsBounds) {
  Texts right;
  right.AddMany(0.7, 3, 3);
  EXPECT_EQ(FitTemperature(right.view()), kLowestFittedTemperature);
  Texts wrong;
  wrong.AddMany(0.7, 4, 1);
  EXPECT_EQ(FitTemperature(wrong.view()), kHighestFittedTemperature);
}

TEST(FitTemperature, IsOneWhereNoneIsBetter) {
  EXPECT_EQ(FitTemperature(Texts{}.view()), 1);
  Texts alike;
  alike.AddMany(0.5, 4, 1);
  EXPECT_EQ(FitTemperature(alike.view()), 1);
}

}  // namespace
}  // namespace ks
