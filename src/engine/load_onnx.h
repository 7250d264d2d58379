// Loading for ONNX Runtime: the one file above the backends that knows it by name.
#pragma once

#include <filesystem>

#include "absl/status/statusor.h"
#include "engine/load.h"

namespace ks {

// LoadModel over OnnxBackend. Requires options.backend == "onnx" (kInvalidArgument otherwise, naming both).
absl::StatusOr<LoadedModel> LoadServedModel(const std::filesystem::path& directory, const LoadOptions& options = {});

}  // namespace ks
