#include "convert/package_weights.h"

#include <algorithm>
#include <string>

#include "base/status_macros.h"
#include "model/weights.h"

namespace ks {
namespace {

constexpr size_t kBlockElements = 1 << 18;  // 1 MiB of float32 at a time

ElementType ElementTypeOf(DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return ElementType::kFloat16;
    case DType::kI8:
      return ElementType::kInt8;
    case DType::kU8:
      return ElementType::kUint8;
    case DType::kI32:
      return ElementType::kInt32;
    default:
      return ElementType::kFloat;
  }
}

absl::Status Missing(const Checkpoint& checkpoint, const TensorSpec& expected) {
  std::string where;
  for (const std::string& file : checkpoint.files()) where += Cat(where.empty() ? "" : ", ", file);
  // A base model saved without its head has the same names without "bert.".
  const std::string short_name = expected.name.substr(expected.name.find('.') + 1);
  const bool base_model = checkpoint.Find(short_name) != nullptr;
  return NotFound(
      where, ": ", expected.name, ": missing, expected ", ShapeText(expected.shape), " by config.json",
      base_model ? Cat("; found ", short_name, ": this is a base model, saved without its classifier") : "");
}

absl::StatusOr<const TensorView*> FindTensor(const Checkpoint& checkpoint, const TensorSpec& expected) {
  const TensorView* tensor = checkpoint.Find(expected.name);
  if (tensor == nullptr) {
    const std::string legacy = LegacyName(expected.name);
    if (!legacy.empty()) tensor = checkpoint.Find(legacy);
  }
  if (tensor == nullptr) return Missing(checkpoint, expected);
  if (tensor->shape != expected.shape) {
    return DataLoss(tensor->file, ": ", tensor->name, ": expected shape ", ShapeText(expected.shape),
                    " by config.json, found ", ShapeText(tensor->shape));
  }
  std::vector<float> none;
  KS_RETURN_IF_ERROR(
      ToFloat32(*tensor, 0, none));  // refuses a dtype that cannot be widened, before anything is written
  return tensor;
}

}  // namespace

absl::StatusOr<PackageWeights> PackageWeights::Plan(const Checkpoint& checkpoint, const ClassifierSpec& spec) {
  PackageWeights weights;
  for (TensorSpec& expected : ExpectedTensors(spec)) {
    KS_ASSIGN_OR_RETURN(const TensorView* tensor, FindTensor(checkpoint, expected));
    weights.tensors_.push_back(tensor);
    weights.descriptions_.push_back({std::move(expected.name), DType::kF32, std::move(expected.shape)});
  }
  weights.plan_ = PlanSafetensors(weights.descriptions_);
  return weights;
}

absl::StatusOr<std::vector<float>> PackageWeights::Read(std::string_view name) const {
  for (size_t i = 0; i < descriptions_.size(); ++i) {
    if (descriptions_[i].name != name) continue;
    std::vector<float> values(tensors_[i]->elements());
    KS_RETURN_IF_ERROR(ToFloat32(*tensors_[i], 0, values));
    return values;
  }
  return NotFound("no tensor ", name);
}

absl::Status PackageWeights::Write(const ByteSink& sink) const {
  KS_RETURN_IF_ERROR(sink(std::as_bytes(std::span(plan_.header))));
  std::vector<float> block;
  for (const TensorPlace& place : plan_.places) {
    const TensorView& tensor = *tensors_[place.index];
    for (size_t first = 0; first < tensor.elements(); first += kBlockElements) {
      block.resize(std::min(kBlockElements, tensor.elements() - first));
      KS_RETURN_IF_ERROR(ToFloat32(tensor, first, block));
      KS_RETURN_IF_ERROR(sink(std::as_bytes(std::span(block))));
    }
  }
  return absl::OkStatus();
}

TensorPlacement PackageWeights::Placement(std::string_view file) const {
  return PlacementOf(plan_, descriptions_, file);
}

TensorPlacement PlacementOf(const SafetensorsPlan& plan, std::span<const TensorDescription> tensors,
                            std::string_view file) {
  TensorPlacement placement;
  for (const TensorPlace& place : plan.places) {
    const TensorDescription& tensor = tensors[place.index];
    placement[tensor.name] = {.file = std::string(file),
                              .offset = static_cast<int64_t>(place.file_offset),
                              .bytes = static_cast<int64_t>(place.bytes),
                              .shape = tensor.shape,
                              .type = ElementTypeOf(tensor.dtype)};
  }
  return placement;
}

}  // namespace ks
