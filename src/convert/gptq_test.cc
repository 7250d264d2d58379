#include "convert/gptq.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "convert/dense_testing.h"

namespace ks {
namespace {

using ::testing::HasSubstr;

constexpr int kInputs = 150;  // more than one block of either kind
constexpr int kOutputs = 20;
constexpr int kRows = 700;

// Inputs that depend on one another, as those of a real layer do: 40 hidden ones mixed.
std::vector<float> Rows(uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> mix(static_cast<size_t>(40) * kInputs), rows(static_cast<size_t>(kRows) * kInputs);
  std::mt19937 fixed(7);
  for (float& value : mix) value = normal(fixed);
  for (int t = 0; t < kRows; ++t) {
    float hidden[40];
    for (float& value : hidden) value = normal(random);
    for (int k = 0; k < kInputs; ++k) {
      float sum = 0.1f * normal(random);
      for (int h = 0; h < 40; ++h) sum += hidden[h] * mix[static_cast<size_t>(h) * kInputs + k];
      rows[static_cast<size_t>(t) * kInputs + k] = sum;
    }
  }
  return rows;
}

FloatDense Layer() { return NormalDense(kOutputs, kInputs); }

// Mean squared error of the outputs.
double Error(const FloatDense& dense, const QuantizedDense& quantized, const std::vector<float>& rows) {
  double sum = 0;
  for (int t = 0; t < kRows; ++t) {
    for (int n = 0; n < kOutputs; ++n) {
      double off = 0;
      for (int k = 0; k < kInputs; ++k) {
        const size_t at = static_cast<size_t>(n) * kInputs + k;
        off += (static_cast<double>(quantized.scales[n]) * quantized.values[at] - dense.weight[at]) *
               rows[static_cast<size_t>(t) * kInputs + k];
      }
      sum += off * off;
    }
  }
  return sum / (kRows * kOutputs);
}

TEST(Gram, IsTheSumOfProducts) {
  const std::vector<float> rows = Rows(1);
  Gram gram(kInputs);
  gram.Add(std::span(rows).first(static_cast<size_t>(300) * kInputs), 300);
  gram.Add(std::span(rows).subspan(static_cast<size_t>(300) * kInputs), kRows - 300);
  for (const auto& [i, j] : {std::pair(0, 0), std::pair(0, 149), std::pair(127, 128), std::pair(140, 149)}) {
    double expected = 0;
    for (int t = 0; t < kRows; ++t) {
      expected += static_cast<double>(rows[t * kInputs + i]) * rows[t * kInputs + j];
    }
    EXPECT_NEAR(gram.upper()[i * kInputs + j], expected, 1e-5 * kRows * 40) << i << ", " << j;
  }
  EXPECT_EQ(gram.upper()[140 * kInputs + 3], 0) << "the lower triangle";
}

TEST(Gram, HasTheSameBitsOnEveryInstructionSet) {
  const std::vector<float> rows = Rows(1);
  std::vector<std::vector<double>> sums;
  for (const IsaLevel isa : SupportedIsas()) {
    Gram gram(kInputs);
    gram.Add(rows, kRows, Kernels(isa));
    sums.emplace_back(gram.upper().begin(), gram.upper().end());
    EXPECT_EQ(sums.back(), sums.front()) << IsaName(isa);
  }
}

TEST(GptqDense, IsCloserThanPlainRoundingOnRowsItHasNotSeen) {
  const FloatDense dense = Layer();
  Gram gram(kInputs);
  gram.Add(Rows(1), kRows);
  const auto quantized = GptqDense(dense, gram);
  ASSERT_TRUE(quantized.ok()) << quantized.status();
  const QuantizedDense rounded = RoundDense(dense);
  EXPECT_EQ(quantized->scales, rounded.scales);
  EXPECT_EQ(quantized->bias, dense.bias);
  const std::vector<float> unseen = Rows(2);
  EXPECT_LT(Error(dense, *quantized, unseen), 0.5 * Error(dense, rounded, unseen));
}

// Without anything between the inputs there is nothing to make up for.
TEST(GptqDense, IsPlainRoundingWhereInputsAreIndependent) {
  const FloatDense dense = Layer();
  std::vector<float> rows(static_cast<size_t>(kInputs) * kInputs);
  for (int k = 0; k < kInputs; ++k) rows[static_cast<size_t>(k) * kInputs + k] = static_cast<float>(1 + k);
  Gram gram(kInputs);
  gram.Add(rows, kInputs);
  EXPECT_EQ(GptqDense(dense, gram)->values, RoundDense(dense).values);
}

TEST(GptqDense, IsPlainRoundingWithoutData) {
  const FloatDense dense = Layer();
  EXPECT_EQ(GptqDense(dense, Gram(kInputs))->values, RoundDense(dense).values);
}

TEST(Gram, MultipliedIsThatOfMultipliedRows) {
  std::vector<float> rows = Rows(1);
  std::vector<float> multipliers(kInputs);
  for (int k = 0; k < kInputs; ++k) multipliers[k] = std::ldexp(1.0f, k % 5 - 2);  // exact in both ways
  Gram gram(kInputs), expected(kInputs);
  gram.Add(rows, kRows);
  gram.Multiply(multipliers);
  for (size_t i = 0; i < rows.size(); ++i) rows[i] *= multipliers[i % kInputs];
  expected.Add(rows, kRows);
  EXPECT_TRUE(std::equal(gram.upper().begin(), gram.upper().end(), expected.upper().begin()));
}

TEST(GptqDense, RefusesWhatCannotBeFactored) {
  Gram gram(kInputs);
  gram.Add(std::vector<float>(kInputs, std::numeric_limits<float>::quiet_NaN()), 1);
  const absl::Status status = GptqDense(Layer(), gram).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot be factored"));
}

}  // namespace
}  // namespace ks
