// A quantised layer in the kernels' layout.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "convert/quantize.h"
#include "kernels/dispatch.h"
#include "kernels/int8_linear.h"

namespace ks {

// Owns what Int8Weights looks at, padded to PaddedOutputs. Stays where it is made.
class PackedDense {
 public:
  explicit PackedDense(const QuantizedDense& dense);
  PackedDense(const PackedDense&) = delete;
  PackedDense& operator=(const PackedDense&) = delete;

  // Valid as long as the object.
  const Int8Weights& view() const& { return view_; }
  const Int8Weights& view() const&& = delete;

  // The arrays of view(), for a file.
  std::span<const std::byte> packed() const& { return std::as_bytes(std::span(packed_)); }
  std::span<const std::byte> packed() const&& = delete;
  std::span<const float> scales() const& { return scales_; }
  std::span<const float> scales() const&& = delete;
  std::span<const int32_t> column_sums() const& { return column_sums_; }
  std::span<const int32_t> column_sums() const&& = delete;
  std::span<const float> bias() const& { return bias_; }
  std::span<const float> bias() const&& = delete;
  std::span<const float> multipliers() const& { return multipliers_; }
  std::span<const float> multipliers() const&& = delete;

 private:
  struct alignas(64) Line {
    int8_t values[64];
  };

  std::vector<Line> packed_;
  std::vector<float> scales_;
  std::vector<int32_t> column_sums_;
  std::vector<float> bias_;
  std::vector<float> multipliers_;
  Int8Weights view_;
};

// out float32 [rows, N] = the layer's outputs for x float32 [rows, K], each row quantised on its own.
void ApplyInt8(const Int8Weights& weights, std::span<const float> x, int rows, float* out, const KernelTable& kernels);

}  // namespace ks
