// Tested by int8_file_test.cc and calibrate_test.cc.
#include "convert/packed_dense.h"

namespace ks {

PackedDense::PackedDense(const QuantizedDense& dense)
    : packed_(PackedInt8Bytes(dense.outputs, dense.inputs) / sizeof(Line)),
      scales_(dense.scales),
      column_sums_(static_cast<size_t>(PaddedOutputs(dense.outputs))),
      bias_(dense.bias),
      multipliers_(dense.multipliers) {
  scales_.resize(column_sums_.size());
  bias_.resize(column_sums_.size());
  int8_t* packed = packed_.front().values;
  PackInt8Weights(dense.values.data(), dense.outputs, dense.inputs, packed, column_sums_.data());
  view_ = {.packed = packed,
           .scales = scales_.data(),
           .column_sums = column_sums_.data(),
           .bias = bias_.data(),
           .multipliers = multipliers_.data(),
           .inputs = dense.inputs,
           .outputs = dense.outputs};
}

void ApplyInt8(const Int8Weights& weights, std::span<const float> x, int rows, float* out, const KernelTable& kernels) {
  const size_t stride = static_cast<size_t>(PaddedInputs(weights.inputs));
  std::vector<uint8_t> q(static_cast<size_t>(rows) * stride);
  std::vector<float> scales(static_cast<size_t>(rows));
  std::vector<int32_t> zero_points(static_cast<size_t>(rows));
  kernels.quantize_rows({.x = x.data(),
                         .x_stride = static_cast<size_t>(weights.inputs),
                         .multipliers = weights.multipliers,
                         .q = q.data(),
                         .q_stride = stride,
                         .scales = scales.data(),
                         .zero_points = zero_points.data(),
                         .rows = rows,
                         .inputs = weights.inputs});
  kernels.int8_linear({.q = q.data(),
                       .q_stride = stride,
                       .scales = scales.data(),
                       .zero_points = zero_points.data(),
                       .weights = weights,
                       .out = out,
                       .out_stride = static_cast<size_t>(weights.outputs),
                       .rows = rows});
}

}  // namespace ks
