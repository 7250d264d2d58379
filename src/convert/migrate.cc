// Tested by migrate_test.cc.
#include "convert/migrate.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "convert/packed_dense.h"

namespace ks {
namespace {

constexpr int kMostRows = 1536;
constexpr float kInputExponents[] = {0.2f, 0.3f, 0.4f, 0.5f, 0.6f, 0.7f};
constexpr float kWeightExponents[] = {0.0f, 0.25f, 0.5f};
constexpr float kMostRatio = 1024;

std::vector<float> SomeRows(std::span<const float> x, int rows, int inputs, int count) {
  const size_t width = static_cast<size_t>(inputs);
  std::vector<float> some(static_cast<size_t>(count) * width);
  for (int i = 0; i < count; ++i) {
    const auto row = static_cast<size_t>(static_cast<int64_t>(i) * rows / count);
    std::memcpy(some.data() + i * width, x.data() + row * width, width * sizeof(float));
  }
  return some;
}

// Each value over the median, between 1 / kMostRatio and kMostRatio. All 1 where most values are 0.
void DivideByMedian(std::vector<float>& values) {
  std::vector<float> sorted = values;
  const auto middle = sorted.begin() + static_cast<ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  for (float& value : values) value = *middle > 0 ? std::clamp(value / *middle, 1 / kMostRatio, kMostRatio) : 1.0f;
}

std::vector<float> InputSizes(std::span<const float> x, int inputs) {
  std::vector<double> powers(static_cast<size_t>(inputs));
  for (size_t i = 0; i < x.size(); ++i) {
    const double square = double{x[i]} * x[i];
    powers[i % powers.size()] += square * square;
  }
  std::vector<float> sizes;
  const double rows = static_cast<double>(x.size()) / inputs;
  for (const double power : powers) sizes.push_back(static_cast<float>(std::pow(power / rows, 0.25)));
  DivideByMedian(sizes);
  return sizes;
}

std::vector<float> WeightSizes(const FloatDense& dense) {
  std::vector<float> sizes(static_cast<size_t>(dense.inputs));
  for (size_t i = 0; i < dense.weight.size(); ++i) {
    float& size = sizes[i % sizes.size()];
    size = std::max(size, std::abs(dense.weight[i]));
  }
  DivideByMedian(sizes);
  return sizes;
}

// What the outputs of some rows should be, and how far off they are.
class Trial {
 public:
  Trial(const FloatDense& dense, std::vector<float> x, const KernelTable& kernels)
      : dense_(dense), x_(std::move(x)), rows_(static_cast<int>(x_.size()) / dense.inputs), kernels_(kernels) {
    expected_.resize(static_cast<size_t>(rows_) * static_cast<size_t>(dense.outputs));
    kernels_.linear({.x = x_.data(),
                     .x_stride = static_cast<size_t>(dense.inputs),
                     .weight = dense.weight.data(),
                     .bias = dense.bias.data(),
                     .out = expected_.data(),
                     .out_stride = static_cast<size_t>(dense.outputs),
                     .rows = rows_,
                     .inputs = dense.inputs,
                     .outputs = dense.outputs});
  }

  // The sum of squared errors with these multipliers.
  double Error(std::span<const float> multipliers) const {
    FloatDense migrated = dense_;
    Migrate(multipliers, migrated);
    const PackedDense packed(RoundDense(migrated));
    std::vector<float> out(expected_.size());
    ApplyInt8(packed.view(), x_, rows_, out.data(), kernels_);
    double error = 0;
    for (size_t i = 0; i < out.size(); ++i) {
      const double difference = double{out[i]} - expected_[i];
      error += difference * difference;
    }
    return error;
  }

 private:
  const FloatDense& dense_;
  const std::vector<float> x_;
  const int rows_;
  const KernelTable& kernels_;
  std::vector<float> expected_;  // [rows, N]
};

}  // namespace

std::vector<float> FindMultipliers(const FloatDense& dense, std::span<const float> x, int rows,
                                   const KernelTable& kernels) {
  const size_t inputs = static_cast<size_t>(dense.inputs);
  std::vector<float> best(inputs, 1.0f);
  std::vector<float> some = SomeRows(x, rows, dense.inputs, std::min(rows, kMostRows));
  const std::vector<float> input_sizes = InputSizes(some, dense.inputs);
  const std::vector<float> weight_sizes = WeightSizes(dense);
  const Trial trial(dense, std::move(some), kernels);
  double least = trial.Error(best);
  for (const float a : kInputExponents) {
    for (const float b : kWeightExponents) {
      std::vector<float> multipliers(inputs);
      for (size_t k = 0; k < inputs; ++k) {
        multipliers[k] = std::pow(input_sizes[k], -a) * std::pow(weight_sizes[k], b);
      }
      const double error = trial.Error(multipliers);
      if (error >= least) continue;
      least = error;
      best = std::move(multipliers);
    }
  }
  return best;
}

void Migrate(std::span<const float> multipliers, FloatDense& dense) {
  for (size_t i = 0; i < dense.weight.size(); ++i) dense.weight[i] /= multipliers[i % multipliers.size()];
  for (size_t k = 0; k < multipliers.size(); ++k) dense.multipliers[k] *= multipliers[k];
}

}  // namespace ks
