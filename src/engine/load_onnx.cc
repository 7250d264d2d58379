#include "engine/load_onnx.h"

#include "backend/onnx/onnx_backend.h"
#include "base/status.h"

namespace ks {

absl::StatusOr<LoadedModel> LoadServedModel(const std::filesystem::path& directory, const LoadOptions& options) {
  if (options.backend != "onnx") {
    return InvalidArgument("backend: expected onnx, the one that this program has; found ", options.backend);
  }
  return LoadModel(directory, options, [](std::shared_ptr<const Package> package, const BackendPlan& plan) {
    return OnnxBackend::OpenGroup(std::move(package),
                                  {.precision = plan.precision,
                                   .threads = plan.threads_per_worker,
                                   .max_tokens = plan.max_tokens,
                                   .prepack = plan.many_texts},
                                  plan.workers);
  });
}

}  // namespace ks
