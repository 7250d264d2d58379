#include "measure/gates.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {
using testing::HasSubstr;

const DataSet kData = {.files = {{.name = "a.tsv"}, {.name = "b.tsv"}}};

Comparison Agreeing(int64_t texts, int64_t agreeing) {
  Comparison comparison;
  comparison.texts = texts;
  comparison.agreeing = agreeing;
  return comparison;
}

// `right` of `of` texts right by the candidate, `lost` fewer than by the reference.
FileComparison LabelledFile(int file, int64_t of, int64_t right, int64_t lost) {
  AccuracyComparison accuracy = {{ConfusionMatrix(2), ConfusionMatrix(2)}, lost, 0};
  for (int64_t i = 0; i < of; ++i) {
    accuracy.confusion.candidate.Add(0, i < right ? 0 : 1);
    accuracy.confusion.reference.Add(0, i < right + lost ? 0 : 1);
  }
  return {.file = file, .texts = of, .agreeing = of - lost, .accuracy = accuracy, .p_value = 1, .p_adjusted = 1};
}

TEST(Gates, DefaultsFollowThePrecision) {
  EXPECT_EQ(DefaultGates("int8").min_agreement, 0.995);
  EXPECT_EQ(DefaultGates("int8").mean_diff, 0.005);
  EXPECT_FALSE(DefaultGates("int8").max_diff);
  EXPECT_EQ(DefaultGates("fp32").max_diff, 1e-4);
  EXPECT_EQ(DefaultGates("fp32").mean_diff, 1e-5);
  EXPECT_FALSE(DefaultGates("fp32").min_accuracy);
}

TEST(Judge, AsksOnlyWhatIsSetAndTakesTheBoundItself) {
  Comparison c = Agreeing(200, 199);
  c.probabilities = {.max = 1e-4, .mean = 1e-5};
  const auto results = Judge(c, kData, {.max_diff = 1e-4, .mean_diff = 1e-5, .min_agreement = 0.995});
  ASSERT_EQ(results.size(), 3u);
  EXPECT_TRUE(AllPassed(results));
  EXPECT_EQ(results[0].name, "max-diff");
  EXPECT_EQ(results[0].flag, "--max-diff");
  EXPECT_EQ(results[2].found, 0.995);
  EXPECT_TRUE(Judge(c, kData, {}).empty());
}

TEST(Judge, SaysWhatFailedWithBothNumbers) {
  Comparison c = Agreeing(1000, 987);
  c.probabilities = {.max = 0.31, .mean = 0.01};
  const auto results = Judge(c, kData, {.max_diff = 1e-4, .mean_diff = 0.05, .min_agreement = 0.995});
  EXPECT_FALSE(AllPassed(results));
  EXPECT_EQ(results[0].sentence, "the largest |difference| of a probability is 0.31, above 0.0001");
  EXPECT_TRUE(results[1].passed);
  EXPECT_EQ(results[2].sentence, "the share of texts with the same label is 98.7 %, below 99.5 %");
}

TEST(Judge, TakesTheFileWithTheLargestLoss) {
  Comparison c;
  c.files = {LabelledFile(0, 1000, 900, 1), LabelledFile(1, 1000, 900, 20)};
  c.accuracy = c.files[1].accuracy;
  const auto results = Judge(c, kData, {.min_accuracy = 0.95, .max_accuracy_loss = 0.01});
  EXPECT_EQ(results[0].sentence, "the candidate's accuracy is 90 %, below 95 %");
  EXPECT_FALSE(results[1].passed);
  EXPECT_EQ(results[1].sentence, "the loss of accuracy on b.tsv is 2 %, above 1 %");
  EXPECT_TRUE(AllPassed(Judge(c, kData, {.min_accuracy = 0.9, .max_accuracy_loss = 0.02})));
}

TEST(Judge, FailsASignificantLossOfAnyFile) {
  Comparison c;
  c.files = {LabelledFile(0, 1000, 900, 8), LabelledFile(1, 1000, 900, 0)};
  c.files[0].p_adjusted = 0.05;
  auto results = Judge(c, kData, {.significance = 0.05});
  EXPECT_FALSE(results[0].passed);
  EXPECT_THAT(results[0].sentence, HasSubstr("a.tsv (8 texts lost, 0 gained) is significant"));
  c.files[0].p_adjusted = 0.0501;
  results = Judge(c, kData, {.significance = 0.05});
  EXPECT_TRUE(results[0].passed);
  EXPECT_THAT(results[0].sentence, HasSubstr("is not significant"));
}

TEST(Judge, FailsABoundOnAccuracyWithoutLabels) {
  Comparison c = Agreeing(10, 10);
  c.files = {{.file = 0, .texts = 10, .agreeing = 10}};
  const auto results = Judge(c, kData, {.min_accuracy = 0.5, .max_accuracy_loss = 0.01, .significance = 0.05});
  EXPECT_FALSE(results[0].passed);
  EXPECT_THAT(results[0].sentence, HasSubstr("--label-column"));
  EXPECT_FALSE(results[1].passed);
  EXPECT_TRUE(results[2].passed);  // a default must not ask for labels
}

}  // namespace
}  // namespace ks
