#include "serving/prediction_store.h"

#include <string>

#include "base/uuid.h"
#include "gtest/gtest.h"

namespace ks {
namespace {

using Verdict = PredictionStore::Verdict;

TEST(PredictionStore, TellsFirstFromRepeatedFeedback) {
  PredictionStore store(8);
  const std::string id = NewUuid4();
  store.Remember(id, {2, 1});
  const auto first = store.Mark(id, std::nullopt);
  EXPECT_EQ(first.verdict, Verdict::kFirst);
  EXPECT_EQ(first.prediction.label, 2);
  EXPECT_EQ(first.prediction.backend, 1);
  EXPECT_EQ(store.Mark(id, std::nullopt).verdict, Verdict::kAgain);
}

TEST(PredictionStore, ReadsAnIdInEitherCase) {
  PredictionStore store(8);
  store.Remember("0123abcd-89ab-4cde-8f01-23456789abcd", {1, 0});
  EXPECT_EQ(store.Mark("0123ABCD-89AB-4CDE-8F01-23456789ABCD", std::nullopt).verdict, Verdict::kFirst);
  EXPECT_EQ(store.Mark("0123abcd-89ab-4cde-8f01-23456789abce", std::nullopt).verdict, Verdict::kUnknown);
}

TEST(PredictionStore, TakesAClaimForAnUnknownIdOnce) {
  PredictionStore store(8);
  const std::string id = NewUuid4();
  EXPECT_EQ(store.Mark(id, std::nullopt).verdict, Verdict::kUnknown);
  EXPECT_EQ(store.Mark(id, RememberedPrediction{1, 0}).verdict, Verdict::kFirst);
  EXPECT_EQ(store.Mark(id, RememberedPrediction{0, 0}).verdict, Verdict::kAgain);
}

TEST(PredictionStore, BelievesItsMemoryBeforeAClaim) {
  PredictionStore store(8);
  const std::string id = NewUuid4();
  store.Remember(id, {2, 0});
  EXPECT_EQ(store.Mark(id, RememberedPrediction{0, 0}).prediction.label, 2);
}

TEST(PredictionStore, ForgetsTheOldestFirst) {
  PredictionStore store(3);
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(NewUuid4());
    store.Remember(ids.back(), {i, 0});
  }
  EXPECT_EQ(store.Mark(ids[0], std::nullopt).verdict, Verdict::kUnknown);
  EXPECT_EQ(store.Mark(ids[1], std::nullopt).verdict, Verdict::kUnknown);
  for (int i = 2; i < 5; ++i) {
    const auto outcome = store.Mark(ids[static_cast<size_t>(i)], std::nullopt);
    EXPECT_EQ(outcome.verdict, Verdict::kFirst);
    EXPECT_EQ(outcome.prediction.label, i);
  }
}

TEST(PredictionStore, KeepsTheLastOnesHoweverManyCame) {
  constexpr int kCapacity = 16;
  PredictionStore store(kCapacity);
  std::vector<std::string> ids;
  for (int i = 0; i < 1000; ++i) {
    ids.push_back(NewUuid4());
    store.Remember(ids.back(), {i, i % 2});
  }
  for (int i = 0; i < 1000; ++i) {
    const auto outcome = store.Mark(ids[static_cast<size_t>(i)], std::nullopt);
    ASSERT_EQ(outcome.verdict == PredictionStore::Verdict::kFirst, i >= 1000 - kCapacity) << i;
    if (i < 1000 - kCapacity) continue;
    EXPECT_EQ(outcome.prediction.label, i);
    EXPECT_EQ(outcome.prediction.backend, i % 2);
  }
}

}  // namespace
}  // namespace ks
