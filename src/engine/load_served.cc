#include "engine/load_served.h"

#include "backend/onnx/onnx_backend.h"
#include "backend/torch/torch_backend.h"
#include "base/status_macros.h"

namespace ks {
namespace {

using Workers = std::vector<std::unique_ptr<Backend>>;

absl::StatusOr<Workers> OpenOnnx(std::shared_ptr<const Package> package, const BackendPlan& plan) {
  KS_ASSIGN_OR_RETURN(const std::optional<IsaLevel> isa, IsaOption(plan.isa));
  return OnnxBackend::OpenGroup(std::move(package),
                                {.precision = plan.precision,
                                 .threads = plan.threads_per_worker,
                                 .max_tokens = plan.max_tokens,
                                 .prepack = plan.many_texts,
                                 .isa = isa},
                                plan.workers);
}

}  // namespace

absl::StatusOr<std::vector<std::unique_ptr<Backend>>> OpenServedBackends(std::shared_ptr<const Package> package,
                                                                         const BackendPlan& plan) {
  if (plan.backend == "onnx") return OpenOnnx(std::move(package), plan);
  if (plan.backend == "pytorch") {
    return TorchBackend::OpenGroup(std::move(package),
                                   {.threads = plan.threads_per_worker, .max_tokens = plan.max_tokens}, plan.workers);
  }
  return InvalidArgument("backend: expected onnx or pytorch, found ", plan.backend);
}

absl::StatusOr<LoadedModel> LoadServedModel(const std::filesystem::path& directory, const LoadOptions& options) {
  return LoadModel(directory, options, OpenServedBackends);
}

absl::StatusOr<std::unique_ptr<Backend>> OpenServedWide(const LoadedModel& loaded, size_t group) {
  return OpenWide(loaded, group, OpenServedBackends);
}

}  // namespace ks
