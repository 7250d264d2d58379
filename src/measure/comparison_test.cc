#include "measure/comparison.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {
using testing::ElementsAre;

// Logits whose softmax is `probabilities`.
std::vector<float> LogitsOf(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

// Texts and what the two sides say of them, built row by row.
class Fixture {
 public:
  explicit Fixture(int labels = 3) {
    for (int i = 0; i < labels; ++i) spec.labels.push_back(std::string(1, static_cast<char>('A' + i)));
    data.files = {{.name = "first"}, {.name = "second"}};
    for (Logits* side : {&reference, &candidate}) side->classes = labels;
  }

  void Add(const std::vector<double>& p_reference, const std::vector<double>& p_candidate, int label = kNoLabel,
           int file = 0, int tokens = 4) {
    Append(reference, LogitsOf(p_reference));
    Append(candidate, LogitsOf(p_candidate));
    data.examples.push_back({.text = "x", .label = label, .file = file, .line = reference.sequences});
    texts.ids.resize(texts.ids.size() + static_cast<size_t>(tokens));
    texts.offsets.push_back(static_cast<int64_t>(texts.ids.size()));
  }

  Comparison Run(std::vector<int> classes = {}) const {
    return Compare({.data = &data,
                    .texts = &texts,
                    .logits = {&reference, &candidate},
                    .spec = &spec,
                    .temperature = 1,
                    .classes = std::move(classes)});
  }

  ClassifierSpec spec;
  DataSet data;
  TokenizedTexts texts;
  Logits reference, candidate;

 private:
  static void Append(Logits& side, const std::vector<float>& row) {
    side.values.insert(side.values.end(), row.begin(), row.end());
    ++side.sequences;
  }
};

TEST(Compare, MeasuresProbabilitiesAndLogits) {
  Fixture f;
  f.Add({0.5, 0.3, 0.2}, {0.5, 0.3, 0.2});
  f.Add({0.6, 0.3, 0.1}, {0.3, 0.6, 0.1});
  const Comparison c = f.Run();
  EXPECT_EQ(c.texts, 2);
  EXPECT_EQ(c.agreeing, 1);
  EXPECT_DOUBLE_EQ(c.Agreement(), 0.5);
  EXPECT_NEAR(c.probabilities.max, 0.3, 1e-6);
  EXPECT_NEAR(c.probabilities.mean, 0.1, 1e-6);  // 0.6 over 6 values
  EXPECT_NEAR(c.logits.max, std::log(2.0), 1e-6);
  EXPECT_EQ(c.sides.count(0, 1), 1);
  EXPECT_EQ(c.sides.count(0, 0), 1);
  EXPECT_FALSE(c.accuracy);
}

TEST(Compare, UsesTheTemperatureOnBothSides) {
  Fixture f(2);
  f.Add({0.9, 0.1}, {0.8, 0.2});
  const Comparison hot = Compare({.data = &f.data,
                                  .texts = &f.texts,
                                  .logits = {&f.reference, &f.candidate},
                                  .spec = &f.spec,
                                  .temperature = 2,
                                  .classes = {}});
  EXPECT_NEAR(hot.worst[0].scores.reference[0], 0.75, 1e-6);  // sqrt(0.9) / (sqrt(0.9) + sqrt(0.1))
  EXPECT_NEAR(hot.worst[0].scores.candidate[0], 2.0 / 3, 1e-6);
}

TEST(Compare, CountsWhatTheCandidateLosesAndGains) {
  Fixture f;
  for (int i = 0; i < 6; ++i) f.Add({0.8, 0.1, 0.1}, {0.1, 0.8, 0.1}, 0);  // lost
  f.Add({0.8, 0.1, 0.1}, {0.1, 0.8, 0.1}, 1);                              // gained
  f.Add({0.8, 0.1, 0.1}, {0.1, 0.8, 0.1}, 2);                              // both wrong
  f.Add({0.8, 0.1, 0.1}, {0.8, 0.1, 0.1}, 0, 1);                           // both right, in the other file
  const Comparison c = f.Run();
  ASSERT_TRUE(c.accuracy);
  EXPECT_EQ(c.accuracy->lost, 6);
  EXPECT_EQ(c.accuracy->gained, 1);
  EXPECT_DOUBLE_EQ(c.accuracy->confusion.reference.Accuracy(), 7.0 / 9);
  EXPECT_DOUBLE_EQ(c.accuracy->confusion.candidate.Accuracy(), 2.0 / 9);
  EXPECT_DOUBLE_EQ(c.accuracy->Loss(), 5.0 / 9);
  ASSERT_EQ(c.files.size(), 2u);
  EXPECT_EQ(c.files[0].texts, 8);
  EXPECT_EQ(c.files[0].agreeing, 0);
  EXPECT_DOUBLE_EQ(c.files[0].p_value, 8.0 / 128);
  EXPECT_DOUBLE_EQ(c.files[0].p_adjusted, 16.0 / 128);
  EXPECT_DOUBLE_EQ(c.files[1].p_value, 1);
}

TEST(Compare, LeavesOutFilesWithoutTextsAndTestsLabelledOnesAlone) {
  Fixture f;
  f.data.files.push_back({.name = "never sampled"});
  f.Add({0.8, 0.1, 0.1}, {0.1, 0.8, 0.1}, 0, 0);
  f.Add({0.8, 0.1, 0.1}, {0.1, 0.8, 0.1}, kNoLabel, 1);
  const Comparison c = f.Run();
  ASSERT_EQ(c.files.size(), 2u);
  EXPECT_TRUE(c.files[0].accuracy);
  EXPECT_FALSE(c.files[1].accuracy);
  EXPECT_DOUBLE_EQ(c.files[0].p_adjusted, 0.5);  // one question, so uncorrected
}

TEST(Compare, TakesTheHighestOfTheClassesThatCount) {
  Fixture f;
  f.Add({0.3, 0.5, 0.2}, {0.2, 0.5, 0.3}, 0);  // over all: B and B
  const Comparison all = f.Run();
  EXPECT_EQ(all.agreeing, 1);
  EXPECT_DOUBLE_EQ(all.accuracy->confusion.reference.Accuracy(), 0);
  const Comparison two = f.Run({0, 2});
  EXPECT_EQ(two.agreeing, 0);
  EXPECT_DOUBLE_EQ(two.accuracy->confusion.reference.Accuracy(), 1);
  EXPECT_EQ(two.accuracy->confusion.candidate.count(0, 1), 1);
  EXPECT_EQ(two.worst[0].label.candidate, 2);  // by the model's own labels
}

TEST(Compare, MeasuresEachSidesReliabilityOverLabelledTexts) {
  Fixture f(2);
  for (int i = 0; i < 10; ++i) f.Add({0.8, 0.2}, {0.9, 0.1}, i < 7 ? 0 : 1);
  f.Add({0.5, 0.5}, {0.5, 0.5});
  const Comparison c = f.Run();
  ASSERT_TRUE(c.reliability);
  EXPECT_NEAR(c.reliability->reference.served.error, 0.1, 1e-6);
  EXPECT_NEAR(c.reliability->candidate.served.error, 0.2, 1e-6);
  // The temperature at which the odds are those of 7 in 10.
  EXPECT_NEAR(c.reliability->candidate.fitted.temperature, std::log(9) / std::log(7.0 / 3), 1e-5);
  EXPECT_NEAR(c.reliability->candidate.fitted.error, 0, 1e-5);
  EXPECT_LT(c.reliability->candidate.fitted.log_loss, c.reliability->candidate.served.log_loss);
}

TEST(Compare, MeasuresReliabilityAmongTheClassesThatCount) {
  Fixture f;
  f.Add({0.3, 0.5, 0.2}, {0.09, 0.9, 0.01}, 2);
  f.Add({0.3, 0.5, 0.2}, {0.09, 0.9, 0.01}, 0);
  const Comparison c = f.Run({0, 2});
  EXPECT_NEAR(c.reliability->reference.served.error, 0.6 - 0.5, 1e-6);
  EXPECT_NEAR(c.reliability->candidate.served.error, 0.9 - 0.5, 1e-6);
}

TEST(Compare, HasNoReliabilityWithoutLabelsOrASoftmax) {
  Fixture f(2);
  f.Add({0.8, 0.2}, {0.9, 0.1});
  EXPECT_FALSE(f.Run().reliability);
  f.Add({0.8, 0.2}, {0.9, 0.1}, 0);
  f.spec.activation = Activation::kSigmoid;
  EXPECT_FALSE(f.Run().reliability);
}

TEST(Compare, SortsTextsByLength) {
  Fixture f;
  const std::vector<double> same = {0.8, 0.1, 0.1};
  for (const int tokens : {3, 8, 9, 100, 256}) f.Add(same, same, kNoLabel, 0, tokens);
  f.Add(same, {0.1, 0.8, 0.1}, kNoLabel, 0, 200);
  const Comparison c = f.Run();
  ASSERT_EQ(c.lengths.size(), 4u);
  EXPECT_EQ(c.lengths[0].from, 1);
  EXPECT_EQ(c.lengths[0].to, 8);
  EXPECT_EQ(c.lengths[0].texts, 2);
  EXPECT_EQ(c.lengths[1].from, 9);
  EXPECT_EQ(c.lengths[2].from, 65);
  EXPECT_EQ(c.lengths[3].from, 129);
  EXPECT_EQ(c.lengths[3].texts, 2);
  EXPECT_EQ(c.lengths[3].agreeing, 1);
  EXPECT_NEAR(c.lengths[3].probabilities.max, 0.7, 1e-6);
}

TEST(Compare, DrawsTheHistogramByHalfDecades) {
  Fixture f(2);
  f.Add({0.5, 0.5}, {0.5, 0.5});
  f.Add({0.50, 0.50}, {0.52, 0.48});
  f.Add({0.50, 0.50}, {0.55, 0.45});
  f.Add({0.99999, 0.00001}, {0.00001, 0.99999});
  const Comparison c = f.Run();
  ASSERT_EQ(c.histogram.size(), 17u);
  EXPECT_EQ(c.histogram.front().from, 0);
  EXPECT_EQ(c.histogram.front().texts, 1);
  EXPECT_NEAR(c.histogram[13].from, 0.01, 1e-9);
  EXPECT_EQ(c.histogram[13].texts, 1);  // 0.02
  EXPECT_NEAR(c.histogram[14].from, 0.0316, 1e-4);
  EXPECT_EQ(c.histogram[14].texts, 1);  // 0.05
  EXPECT_EQ(c.histogram[16].texts, 1);
}

TEST(Compare, ListsTheWorstTwenty) {
  Fixture f(2);
  for (int i = 0; i < 50; ++i) f.Add({0.5, 0.5}, {0.5 + 0.002 * ((i * 7) % 50), 0.5 - 0.002 * ((i * 7) % 50)});
  const Comparison c = f.Run();
  ASSERT_EQ(c.worst.size(), static_cast<size_t>(kWorstTexts));
  for (size_t i = 0; i < c.worst.size(); ++i) {
    EXPECT_NEAR(c.worst[i].difference, 0.002 * static_cast<double>(49 - i), 1e-6);
  }
  EXPECT_EQ(c.worst[0].example, 7);  // 7 * 7 = 49
}

TEST(Compare, AgreesOnSeveralLabelsOnlyWhereAllAreTheSame) {
  Fixture f(2);
  f.spec.activation = Activation::kSigmoid;
  f.reference = {.values = {2, 1, 2, 1}, .sequences = 2, .classes = 2};
  f.candidate = {.values = {2, 0.5, 2, -1}, .sequences = 2, .classes = 2};
  f.data.examples.resize(2);
  f.texts = {.ids = {1, 1}, .offsets = {0, 1, 2}};
  EXPECT_EQ(f.Run().agreeing, 1);  // the highest is the first label in all four rows
}

TEST(Compare, TakesNoTexts) {
  const Comparison c = Fixture().Run();
  EXPECT_EQ(c.texts, 0);
  EXPECT_EQ(c.Agreement(), 0);
  EXPECT_TRUE(c.histogram.empty());
  EXPECT_TRUE(c.worst.empty());
}

}  // namespace
}  // namespace ks
