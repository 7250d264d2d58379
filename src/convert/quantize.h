// Dense layers in int8: one scale for each output, values -127 to 127.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/package_weights.h"
#include "model/dense_layers.h"

namespace ks {

// A dense layer [N, K] in float32, row-major, its parts one below the other: W[n, k] = weight[n, k] * multipliers[k].
struct FloatDense {
  std::vector<float> weight;       // [N, K]
  std::vector<float> bias;         // [N]
  std::vector<float> multipliers;  // [K]; of the inputs before they are quantised (convert/migrate.h)
  int inputs = 0;                  // K
  int outputs = 0;                 // N
};

// The same in int8: W[n, k] is about scales[n] * values[n, k] * multipliers[k].
struct QuantizedDense {
  std::vector<int8_t> values;      // [N, K]
  std::vector<float> scales;       // [N]; 0 for a row of zeros
  std::vector<float> bias;         // [N]
  std::vector<float> multipliers;  // [K]
  int inputs = 0;                  // K
  int outputs = 0;                 // N
};

// The encoder's dense layers by number (model/dense_layers.h); one without a value stays in fp32.
struct QuantizedLayers {
  std::vector<std::optional<QuantizedDense>> dense;
  bool calibrated = false;
};

// Reads a layer; all multipliers are 1. Errors: as PackageWeights::Read.
absl::StatusOr<FloatDense> ReadDense(const PackageWeights& weights, const DenseLayer& layer);

// max|W[n, k]| / 127 for each row of weight [outputs, inputs]: what the largest weight needs.
std::vector<float> RowScales(std::span<const float> weight, int outputs, int inputs);

// Rounds each weight on its own, to the nearest, even on ties. Needs no data.
QuantizedDense RoundDense(const FloatDense& dense);

// Rounds every dense layer but those named in `fp32_layers`. Errors: kInvalidArgument for a name that is none of the
// encoder's, with those that it has; as ReadDense.
absl::StatusOr<QuantizedLayers> RoundLayers(const ClassifierSpec& spec, const PackageWeights& weights,
                                            std::span<const std::string> fp32_layers);

// Leaves the layers called `names` in fp32, whatever was made of them. Errors: as CheckLayerNames.
absl::Status KeepFp32(std::span<const DenseLayer> layers, std::span<const std::string> names,
                      QuantizedLayers& quantized);

// kInvalidArgument unless each of `names` is one of `layers`.
absl::Status CheckLayerNames(std::span<const DenseLayer> layers, std::span<const std::string> names);

}  // namespace ks
