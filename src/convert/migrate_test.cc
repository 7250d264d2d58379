#include "convert/migrate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "convert/dense_testing.h"
#include "convert/packed_dense.h"

namespace ks {
namespace {

using ::testing::Each;

constexpr int kInputs = 60;
constexpr int kOutputs = 20;
constexpr int kRows = 2000;  // more than are looked at

// Rows whose input 7 is far larger than all others.
std::vector<float> RowsWithOutlier(float times) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<size_t>(kRows) * kInputs);
  for (size_t i = 0; i < x.size(); ++i) x[i] = normal(random) * (i % kInputs == 7 ? times : 1.0f);
  return x;
}

FloatDense Layer() { return NormalDense(kOutputs, kInputs); }

// Mean squared error of the outputs, from the definition: sums in double precision.
double Error(const FloatDense& dense, const std::vector<float>& multipliers, const std::vector<float>& x) {
  FloatDense migrated = dense;
  Migrate(multipliers, migrated);
  const QuantizedDense rounded = RoundDense(migrated);
  double sum = 0;
  for (int t = 0; t < kRows; ++t) {
    float row[kInputs], low = 0, high = 0;
    for (int k = 0; k < kInputs; ++k) {
      row[k] = x[static_cast<size_t>(t) * kInputs + k] * multipliers[k];
      low = std::min(low, row[k]);
      high = std::max(high, row[k]);
    }
    const float scale = (high - low) / 255;
    for (int n = 0; n < kOutputs; ++n) {
      double error = 0;
      for (int k = 0; k < kInputs; ++k) {
        const size_t weight = static_cast<size_t>(n) * kInputs + k;
        error += double{dense.weight[weight]} * x[static_cast<size_t>(t) * kInputs + k];
        error -= 1.0 * rounded.values[weight] * rounded.scales[n] * std::nearbyint(row[k] / scale) * scale;
      }
      sum += error * error;
    }
  }
  return sum / kRows / kOutputs;
}

TEST(FindMultipliers, TakesAnOutlierDownAndTheErrorWithIt) {
  const FloatDense dense = Layer();
  const std::vector<float> x = RowsWithOutlier(30);
  const std::vector<float> found = FindMultipliers(dense, x, kRows);
  ASSERT_EQ(found.size(), size_t{kInputs});
  for (int k = 0; k < kInputs; ++k) {
    EXPECT_TRUE(k == 7 || found[7] < 0.5f * found[k]) << k << ": " << found[k] << ", 7: " << found[7];
  }
  EXPECT_LT(Error(dense, found, x), 0.3 * Error(dense, std::vector<float>(kInputs, 1.0f), x));
}

TEST(FindMultipliers, LeavesInputsOfOneSizeNearlyAsTheyAre) {
  for (const float multiplier : FindMultipliers(Layer(), RowsWithOutlier(1), kRows)) {
    EXPECT_GT(multiplier, 0.7f);
    EXPECT_LT(multiplier, 1.4f);
  }
}

TEST(FindMultipliers, AreOneWhereNothingIsSeen) {
  EXPECT_THAT(FindMultipliers(Layer(), std::vector<float>(2 * kInputs), 2), Each(1.0f));
}

TEST(Migrate, LeavesTheLayerWhatItWas) {
  const FloatDense original = Layer();
  FloatDense dense = original;
  std::vector<float> multipliers(kInputs, 1.0f);
  multipliers[3] = 0.25f;
  multipliers[4] = 8.0f;
  Migrate(multipliers, dense);
  Migrate(multipliers, dense);
  EXPECT_EQ(dense.multipliers[3], 0.0625f);
  EXPECT_EQ(dense.multipliers[4], 64.0f);
  for (size_t i = 0; i < dense.weight.size(); ++i) {
    ASSERT_EQ(dense.weight[i] * dense.multipliers[i % kInputs], original.weight[i]);
  }
}

}  // namespace
}  // namespace ks
