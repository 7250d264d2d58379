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

}  // namespace ks
