// Layers for tests.
#pragma once

#include <random>
#include <vector>

#include "convert/quantize.h"

namespace ks {

// Weights from a normal distribution, the same each time; every bias is 0.5, every multiplier 1.
inline FloatDense NormalDense(int outputs, int inputs) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  FloatDense dense = {.weight = {},
                      .bias = std::vector<float>(static_cast<size_t>(outputs), 0.5f),
                      .multipliers = std::vector<float>(static_cast<size_t>(inputs), 1.0f),
                      .inputs = inputs,
                      .outputs = outputs};
  for (int i = 0; i < outputs * inputs; ++i) dense.weight.push_back(normal(random));
  return dense;
}

}  // namespace ks
