// Tested by int8_linear_test.cc.
#include <algorithm>

#include "kernels/int8_linear.h"

namespace ks {

void PackInt8Weights(const int8_t* w, int outputs, int inputs, int8_t* packed, int32_t* column_sums) {
  const size_t line = size_t{kInt8Outputs} * kInt8Inputs;
  const size_t lines = static_cast<size_t>(PaddedInputs(inputs)) / kInt8Inputs;  // of one block
  std::fill_n(packed, PackedInt8Bytes(outputs, inputs), int8_t{0});
  std::fill_n(column_sums, PaddedOutputs(outputs), 0);
  for (int n = 0; n < outputs; ++n) {
    const int8_t* row = w + static_cast<size_t>(n) * inputs;
    int8_t* lane = packed + static_cast<size_t>(n / kInt8Outputs) * lines * line +
                   static_cast<size_t>(n % kInt8Outputs) * kInt8Inputs;
    for (int k = 0; k < inputs; ++k) {
      lane[static_cast<size_t>(k / kInt8Inputs) * line + k % kInt8Inputs] = row[k];
      column_sums[n] += row[k];
    }
  }
}

}  // namespace ks
