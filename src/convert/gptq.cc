// With U the upper Cholesky factor of the inverse of H = gram + damping, rounding column j with the error e costs the
// outputs least if the columns k > j take -e * U[j, k] / U[j, j] (Frantar et al., 2022, "GPTQ"). Columns wait for their
// corrections in blocks, so that most of the work is one matrix product a block. Tested by gptq_test.cc.
#include "convert/gptq.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/status.h"
#include "base/status_macros.h"

namespace ks {
namespace {

// Column-major, as Eigen likes it.
using Matrix = Eigen::MatrixXd;

constexpr double kDamping = 0.01;
constexpr int kBlock = 64;       // columns rounded between two corrections of all that follow
constexpr int kGramRows = 512;   // rows summed up in float32
constexpr int kGramBlock = 128;  // rows of the result at a time

// The inverse's upper factor, of the matrix in the new order: H[i, j] is gram[order[i], order[j]].
absl::StatusOr<Matrix> InverseFactor(const Gram& gram, const std::vector<int>& order, double damping) {
  const int size = gram.inputs();
  Matrix h(size, size);
  for (int j = 0; j < size; ++j) {
    for (int i = 0; i < size; ++i) {
      const auto [low, high] = std::minmax(order[i], order[j]);
      h(i, j) = gram.upper()[static_cast<size_t>(low) * size + high];
    }
    h(j, j) += damping;
  }
  const Eigen::LLT<Matrix> factor(h);
  if (factor.info() != Eigen::Success) return Internal("GPTQ: the matrix of ", size, " inputs cannot be factored");
  const Matrix inverse = factor.solve(Matrix::Identity(size, size));
  const Eigen::LLT<Matrix, Eigen::Upper> upper(inverse);
  if (upper.info() != Eigen::Success) return Internal("GPTQ: the inverse of ", size, " inputs cannot be factored");
  return Matrix(upper.matrixU());
}

}  // namespace

void Gram::Add(std::span<const float> x, int rows, const KernelTable& kernels) {
  const size_t inputs = static_cast<size_t>(inputs_);
  std::vector<float> columns(inputs * kGramRows), products(inputs * kGramBlock);
  for (int first = 0; first < rows; first += kGramRows) {
    const int count = std::min(kGramRows, rows - first);
    for (size_t k = 0; k < inputs; ++k) {
      for (int t = 0; t < count; ++t) columns[k * count + t] = x[static_cast<size_t>(first + t) * inputs + k];
    }
    for (int top = 0; top < inputs_; top += kGramBlock) {
      const float* block = columns.data() + static_cast<size_t>(top) * count;
      const int height = std::min(kGramBlock, inputs_ - top);
      const int width = inputs_ - top;  // the columns left of it are in the lower triangle
      kernels.linear({.x = block,
                      .x_stride = static_cast<size_t>(count),
                      .weight = block,
                      .bias = nullptr,
                      .out = products.data(),
                      .out_stride = static_cast<size_t>(width),
                      .rows = height,
                      .inputs = count,
                      .outputs = width});
      for (int i = 0; i < height; ++i) {
        double* sums = sums_.data() + static_cast<size_t>(top + i) * inputs + top;
        for (int j = i; j < width; ++j) sums[j] += products[static_cast<size_t>(i) * width + j];
      }
    }
  }
}

void Gram::Multiply(std::span<const float> multipliers) {
  for (size_t i = 0; i < sums_.size(); ++i) {
    sums_[i] *= double{multipliers[i / multipliers.size()]} * multipliers[i % multipliers.size()];
  }
}

absl::StatusOr<QuantizedDense> GptqDense(const FloatDense& dense, const Gram& gram) {
  const int inputs = dense.inputs;
  const int outputs = dense.outputs;
  if (gram.inputs() != inputs) {
    return InvalidArgument("GPTQ: a layer of ", inputs, " inputs, rows of ", gram.inputs());
  }
  const auto diagonal = [&](int k) { return gram.upper()[static_cast<size_t>(k) * inputs + k]; };
  std::vector<int> order(inputs);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return diagonal(a) > diagonal(b); });
  double mean = 0;
  for (int k = 0; k < inputs; ++k) mean += diagonal(k) / inputs;
  // Eigen's factors do not tell a NaN.
  if (!std::isfinite(mean)) return Internal("GPTQ: the matrix of ", inputs, " inputs cannot be factored");
  // Inputs that were all zero say nothing: any damping then leaves plain rounding.
  KS_ASSIGN_OR_RETURN(const Matrix factor, InverseFactor(gram, order, mean > 0 ? kDamping * mean : 1.0));

  QuantizedDense quantized = {.values = std::vector<int8_t>(dense.weight.size()),
                              .scales = RowScales(dense.weight, outputs, inputs),
                              .bias = dense.bias,
                              .multipliers = dense.multipliers,
                              .inputs = inputs,
                              .outputs = outputs};
  Matrix weight(outputs, inputs);  // what is left to round, columns in the new order
  for (int k = 0; k < inputs; ++k) {
    for (int n = 0; n < outputs; ++n) weight(n, k) = dense.weight[static_cast<size_t>(n) * inputs + order[k]];
  }
  Matrix errors(outputs, kBlock);
  for (int first = 0; first < inputs; first += kBlock) {
    const int count = std::min(kBlock, inputs - first);
    for (int k = first; k < first + count; ++k) {
      for (int n = 0; n < outputs; ++n) {
        const double scale = quantized.scales[n];
        const double rounded = scale > 0 ? std::clamp(std::nearbyint(weight(n, k) / scale), -127.0, 127.0) : 0;
        quantized.values[static_cast<size_t>(n) * inputs + order[k]] = static_cast<int8_t>(rounded);
        errors(n, k - first) = (weight(n, k) - rounded * scale) / factor(k, k);
      }
      for (int later = k + 1; later < first + count; ++later) {
        weight.col(later) -= errors.col(k - first) * factor(k, later);
      }
    }
    const int rest = inputs - first - count;
    weight.rightCols(rest).noalias() -= errors.leftCols(count) * factor.block(first, first + count, count, rest);
  }
  return quantized;
}

}  // namespace ks
