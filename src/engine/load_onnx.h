// Loading for ONNX Runtime: the one file above the backends that knows it by name.
#pragma once

#include <filesystem>

#include "absl/status/statusor.h"
#include "engine/load.h"

namespace ks {

// LoadModel over the backends of this program. kInvalidArgument for another (and for an isa that the CPU lacks), naming
// what there is.
absl::StatusOr<LoadedModel> LoadServedModel(const std::filesystem::path& directory, const LoadOptions& options = {});

}  // namespace ks
