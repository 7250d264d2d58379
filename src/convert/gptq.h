// Rounding of weights that makes up for its own errors (GPTQ): each input's column is rounded in turn, and what that
// does to the outputs on real inputs is taken back by the columns that are still to come.
#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/quantize.h"
#include "kernels/dispatch.h"

namespace ks {

// The sum of x x^T over the rows of what a dense layer gets to see: [K, K], symmetric.
class Gram {
 public:
  explicit Gram(int inputs) : inputs_(inputs), sums_(static_cast<size_t>(inputs) * static_cast<size_t>(inputs)) {}

  // Adds x float32 [rows, K]. Costs rows * K * K multiplications, halved; the same bits with every `kernels`.
  void Add(std::span<const float> x, int rows, const KernelTable& kernels = BestKernels());

  // As if each row had been multiplied by multipliers[K].
  void Multiply(std::span<const float> multipliers);

  int inputs() const { return inputs_; }
  // Row-major; the upper triangle, the rest is 0.
  std::span<const double> upper() const { return sums_; }

 private:
  int inputs_;
  std::vector<double> sums_;
};

// Rounds `dense` so that its outputs on the rows in `gram`, which stand multiplied, stay close, with the scales of RowScales. Columns are taken
// in the order of how much their input moves, largest first; a hundredth of the mean diagonal is added to each diagonal
// element, so that few rows cannot ask for weights far from the given ones. The bias stays.
//
// Deterministic on one machine. Takes seconds for thousands of inputs.
// Errors: kInvalidArgument where the sizes differ; kInternal where the matrix cannot be factored (a NaN in it).
absl::StatusOr<QuantizedDense> GptqDense(const FloatDense& dense, const Gram& gram);

}  // namespace ks
