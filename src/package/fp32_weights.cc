// Tested by fp32_weights_test.cc.
#include "package/fp32_weights.h"

#include <cstdint>
#include <utility>

#include "base/status_macros.h"
#include "model/weights.h"

namespace ks {
namespace {

absl::Status CheckTensor(const TensorSpec& expected, const TensorView* found, const std::string& file) {
  if (found == nullptr) return DataLoss(file, ": tensor ", expected.name, " is missing");
  const std::string where = Cat(file, ": tensor ", expected.name);
  if (found->dtype != DType::kF32) {
    return DataLoss(where, ": expected dtype F32, found ", DTypeName(found->dtype));
  }
  if (found->shape != expected.shape) {
    return DataLoss(where, ": expected shape ", ShapeText(expected.shape), ", found ", ShapeText(found->shape));
  }
  if (reinterpret_cast<uintptr_t>(found->bytes.data()) % alignof(float) != 0) {
    return DataLoss(where, ": expected to begin at a multiple of ", alignof(float), " bytes");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Fp32Weights> Fp32Weights::Open(const std::filesystem::path& directory, const ClassifierSpec& spec) {
  KS_ASSIGN_OR_RETURN(Checkpoint checkpoint, Checkpoint::Open(directory));
  const std::string file = (directory / kCheckpointFile).string();
  for (const TensorSpec& expected : ExpectedTensors(spec)) {
    KS_RETURN_IF_ERROR(CheckTensor(expected, checkpoint.Find(expected.name), file));
  }
  return Fp32Weights(std::move(checkpoint));
}

std::span<const float> Fp32Weights::Values(std::string_view name) const& {
  const TensorView* const tensor = checkpoint_.Find(name);
  if (tensor == nullptr) return {};
  return {reinterpret_cast<const float*>(tensor->bytes.data()), tensor->elements()};
}

}  // namespace ks
