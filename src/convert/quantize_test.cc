#include "convert/quantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace ks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(RoundDense, GivesEachRowItsOwnScaleAndRoundsToEven) {
  const FloatDense dense = {.weight = {1.27f, -1.27f, 0.025f,  // scale 0.01: 2.5 goes to 2
                                       0.0f, 0.0f, 0.0f,       //
                                       -254.0f, 3.0f, 5.0f},   // scale 2: 1.5 and 2.5 go to 2
                            .bias = {1, 2, 3},
                            .multipliers = {1, 2, 4},
                            .inputs = 3,
                            .outputs = 3};
  const QuantizedDense quantized = RoundDense(dense);
  EXPECT_THAT(quantized.values, ElementsAre(127, -127, 2, 0, 0, 0, -127, 2, 2));
  EXPECT_THAT(quantized.scales, ElementsAre(1.27f / 127, 0.0f, 2.0f));
  EXPECT_EQ(quantized.bias, dense.bias);
  EXPECT_EQ(quantized.multipliers, dense.multipliers);
}

TEST(RoundDense, StaysInRangeForTheSmallestWeights) {
  const float smallest = std::numeric_limits<float>::denorm_min();
  const QuantizedDense quantized = RoundDense({.weight = {smallest, -100 * smallest, 200 * smallest},
                                               .bias = {0},
                                               .multipliers = {1, 1, 1},
                                               .inputs = 3,
                                               .outputs = 1});
  for (const int8_t value : quantized.values) EXPECT_GE(value, -127);
}

TEST(RoundDense, IsOffByHalfAStepAtMost) {
  FloatDense dense = {.weight = {},
                      .bias = std::vector<float>(8),
                      .multipliers = std::vector<float>(50, 1.0f),
                      .inputs = 50,
                      .outputs = 8};
  for (int i = 0; i < 400; ++i) dense.weight.push_back(std::sin(static_cast<float>(i) * 1.7f) * (i % 7));
  const QuantizedDense quantized = RoundDense(dense);
  for (int i = 0; i < 400; ++i) {
    const float scale = quantized.scales[i / 50];
    EXPECT_LE(std::abs(scale * quantized.values[i] - dense.weight[i]), 0.5001f * scale);
  }
}

TEST(CheckLayerNames, ListsTheNamesWhereOneIsUnknown) {
  ClassifierSpec spec;
  spec.encoder = {.vocab_size = 4, .hidden_size = 8, .intermediate_size = 16, .layers = 1, .heads = 2};
  const std::vector<DenseLayer> layers = DenseLayers(spec);
  EXPECT_TRUE(CheckLayerNames(layers, std::vector<std::string>{"layer.0.ffn.in", "layer.0.qkv"}).ok());
  const absl::Status status = CheckLayerNames(layers, std::vector<std::string>{"layer.0.query"});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("expected layers among layer.0.qkv, layer.0.attention.output, layer.0.ffn.in, layer.0.ffn.out; "
                        "found layer.0.query"));
}

}  // namespace
}  // namespace ks
