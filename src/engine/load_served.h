// Loading by the backends' names: the one place above them that knows them all.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/load.h"

namespace ks {

// Opens the backends of this program as LoadModel asks for them: its BackendOpener.
absl::StatusOr<std::vector<std::unique_ptr<Backend>>> OpenServedBackends(std::shared_ptr<const Package> package,
                                                                         const BackendPlan& plan);

// LoadModel over the backends of this program, "onnx" and "pytorch". kInvalidArgument for another (and for an isa that
// the CPU lacks), naming what there is; kFailedPrecondition for "pytorch" where its plugin is not there, saying what to
// install.
absl::StatusOr<LoadedModel> LoadServedModel(const std::filesystem::path& directory, const LoadOptions& options = {});

// OpenWide over them.
absl::StatusOr<std::unique_ptr<Backend>> OpenServedWide(const LoadedModel& loaded, size_t group);

}  // namespace ks
