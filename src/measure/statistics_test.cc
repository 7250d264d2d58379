#include "measure/statistics.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {
using testing::DoubleNear;
using testing::ElementsAre;

TEST(Summarize, GivesMaxMeanAndP99) {
  std::vector<float> values;
  for (int i = 200; i >= 1; --i) values.push_back(static_cast<float>(i));
  const DifferenceSummary summary = Summarize(values);
  EXPECT_EQ(summary.max, 200);
  EXPECT_EQ(summary.mean, 100.5);
  EXPECT_EQ(summary.p99, 198);  // 2 of 200 are larger
}

TEST(Summarize, TakesTheOnlyValueAndNone) {
  EXPECT_EQ(Summarize({0.5f}).p99, 0.5);
  EXPECT_EQ(Summarize({0.5f}).max, 0.5);
  EXPECT_EQ(Summarize({}).max, 0);
}

TEST(ConfusionMatrix, CountsRightOnesByClass) {
  ConfusionMatrix matrix(3);
  for (int i = 0; i < 8; ++i) matrix.Add(0, 0);
  matrix.Add(0, 1);
  matrix.Add(0, 2);
  matrix.Add(2, 2);
  matrix.Add(2, 0);
  EXPECT_EQ(matrix.count(0, 2), 1);
  EXPECT_EQ(matrix.count(2, 0), 1);
  EXPECT_DOUBLE_EQ(matrix.Accuracy(), 9.0 / 12);
  // Class 1 does not occur, so it has no recall: the mean of 8/10 and 1/2.
  EXPECT_DOUBLE_EQ(matrix.MacroRecall(), 0.65);
}

TEST(ConfusionMatrix, IsZeroWhenEmpty) {
  EXPECT_EQ(ConfusionMatrix(2).Accuracy(), 0);
  EXPECT_EQ(ConfusionMatrix(2).MacroRecall(), 0);
}

// Tails of the binomial distribution, computed by fractions.
TEST(McNemar, EqualsTheBinomialTail) {
  EXPECT_EQ(McNemarP(0, 0), 1);
  EXPECT_NEAR(McNemarP(0, 7), 1, 1e-12);
  EXPECT_NEAR(McNemarP(5, 0), 1.0 / 32, 1e-12);
  EXPECT_NEAR(McNemarP(8, 2), 56.0 / 1024, 1e-12);
  EXPECT_NEAR(McNemarP(2, 8), 1013.0 / 1024, 1e-12);
}

TEST(McNemar, TakesManyTexts) {
  // Without logarithms 2^-12500 is 0. By symmetry half of the distribution, and half of its middle term.
  EXPECT_NEAR(McNemarP(6250, 6250), 0.50357, 1e-4);
  EXPECT_LT(McNemarP(6500, 6000), 1e-5);
}

TEST(Holm, MultipliesByTheQuestionsThatAreLeft) {
  const double p[] = {0.04, 0.01, 0.03, 0.5};
  // Sorted: 0.01 x 4, 0.03 x 3, 0.04 x 2 (not below the one before), 0.5 x 1.
  EXPECT_THAT(HolmAdjust(p),
              ElementsAre(DoubleNear(0.09, 1e-12), DoubleNear(0.04, 1e-12), DoubleNear(0.09, 1e-12), 0.5));
}

TEST(Holm, StaysWithinOne) {
  const double p[] = {0.9, 0.8};
  EXPECT_THAT(HolmAdjust(p), ElementsAre(1.0, 1.0));
  EXPECT_TRUE(HolmAdjust({}).empty());
}

}  // namespace
}  // namespace ks
