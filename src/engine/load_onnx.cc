#include "engine/load_onnx.h"

#include "backend/onnx/onnx_backend.h"
#include "base/status_macros.h"

namespace ks {
namespace {

absl::StatusOr<std::vector<std::unique_ptr<Backend>>> OpenBackends(std::shared_ptr<const Package> package,
                                                                   const BackendPlan& plan) {
  if (plan.backend != "onnx") {
    return InvalidArgument("backend: expected onnx, the one that this program has; found ", plan.backend);
  }
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

absl::StatusOr<LoadedModel> LoadServedModel(const std::filesystem::path& directory, const LoadOptions& options) {
  return LoadModel(directory, options, OpenBackends);
}

}  // namespace ks
