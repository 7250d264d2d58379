// temperature.json: the temperature that was fitted for a checkpoint, kept beside it so that converting needs no flag.
//   {"temperature": 1.13, "weights_sha256": "64 hexadecimal digits"}
// A file of its own and no metadata of the calibrated weights: fp32 alone has a temperature, too, and one may be
// renewed without the other.
#pragma once

#include <filesystem>
#include <string>

#include "absl/status/statusor.h"

namespace ks {

inline constexpr char kTemperatureFile[] = "temperature.json";

// OK for a temperature that a manifest may hold; otherwise kInvalidArgument naming the range and the value.
absl::Status CheckTemperature(float temperature);

// Writes the file, replacing what is there in one step. `weights_sha256` names the checkpoint's weights.
// Errors: as ReplaceFile.
absl::Status SaveTemperature(const std::filesystem::path& path, float temperature, const std::string& weights_sha256);

// Reads it back. Errors, naming the file: kFailedPrecondition where it belongs to other weights, with both hashes and
// what to do; kDataLoss where it is no such file or the temperature is out of range; as ReadFile.
absl::StatusOr<float> LoadTemperature(const std::filesystem::path& path, const std::string& weights_sha256);

}  // namespace ks
