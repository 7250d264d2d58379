// int8_calibrated.safetensors: what calibration found, kept beside the checkpoint so that converting needs no texts and
// gives the same bytes everywhere. Tensors under the checkpoint's names, for each quantised part of a dense layer:
//   NAME.weight        I8  [N, K]
//   NAME.weight_scale  F32 [N]     W[n, k] is about weight_scale[n] * weight[n, k] * multipliers[k]
//   NAME.bias          F32 [N]
// and for the layer (its name in model/dense_layers.h)
//   NAME.multipliers   F32 [K]     of its inputs
// A layer that is not there stays in fp32. The metadata holds the hash of the weights that it belongs to.
#pragma once

#include <filesystem>
#include <string>

#include "absl/status/statusor.h"
#include "convert/quantize.h"

namespace ks {

inline constexpr char kCalibratedFile[] = "int8_calibrated.safetensors";

// Writes `layers` to `path`, replacing what is there in one step. `weights_sha256` names the checkpoint's weights.
// Errors: as ReplaceFile.
absl::Status SaveCalibrated(const std::filesystem::path& path, const ClassifierSpec& spec,
                            const QuantizedLayers& layers, const std::string& weights_sha256);

// Reads it back. Errors, naming the file: kFailedPrecondition where it belongs to other weights, with both hashes and
// what to do; kDataLoss where it is damaged, or a tensor is missing or of another type or shape; kNotFound.
absl::StatusOr<QuantizedLayers> LoadCalibrated(const std::filesystem::path& path, const ClassifierSpec& spec,
                                               const std::string& weights_sha256);

}  // namespace ks
