// Tested by tests/integration/test_validate.py.
#include "cli/validate_sides.h"

#include <algorithm>

#include "backend/onnx/onnx_backend.h"
#include "base/status_macros.h"
#include "engine/load_served.h"
#include "kernels/dispatch.h"

namespace ks {

Sides<std::string> ChooseSides(const Manifest& manifest, Sides<std::string> wanted) {
  if (wanted.candidate.empty()) wanted.candidate = manifest.HasPrecision("int8") ? "int8" : "fp32";
  if (wanted.reference.empty()) wanted.reference = wanted.candidate == "fp32" ? "pytorch" : "fp32";
  return wanted;
}

absl::StatusOr<std::shared_ptr<const ServedModel>> LoadSide(const std::filesystem::path& directory,
                                                            const std::string& side, int threads) {
  const bool pytorch = side == "pytorch";
  KS_ASSIGN_OR_RETURN(LoadedModel loaded, LoadServedModel(directory, {.backend = pytorch ? "pytorch" : "onnx",
                                                                      .precision = pytorch ? "fp32" : side,
                                                                      .threads = threads,
                                                                      .many_texts = true}));
  return std::move(loaded.model);
}

absl::StatusOr<std::vector<InvarianceSide>> LoadInvarianceSides(const std::filesystem::path& directory, int threads) {
  std::vector<IsaLevel> isas = SupportedIsas();
  std::ranges::reverse(isas);
  std::vector<InvarianceSide> sides;
  for (const IsaLevel isa : isas) {
    const auto open = [isa](const std::shared_ptr<const Package>& package, const BackendPlan& plan) {
      return OnnxBackend::OpenGroup(package,
                                    {.precision = plan.precision,
                                     .threads = plan.threads_per_worker,
                                     .max_tokens = kLargestBatch * package->manifest().window,
                                     .isa = isa},
                                    plan.workers);
    };
    KS_ASSIGN_OR_RETURN(LoadedModel loaded, LoadModel(directory, {.precision = "int8", .threads = threads}, open));
    sides.push_back({std::string(IsaName(isa)), std::move(loaded.model)});
  }
  return sides;
}

}  // namespace ks
