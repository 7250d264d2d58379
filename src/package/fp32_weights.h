// A package's fp32 weights where they lie, for a backend that computes on them in place.
#pragma once

#include <filesystem>
#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "checkpoint/checkpoint.h"
#include "model/classifier_spec.h"

namespace ks {

// Every tensor of a classifier, mapped. Movable; immutable: safe from any thread.
class Fp32Weights {
 public:
  // Maps model.safetensors of `directory` and checks it against the spec; no value is read.
  //
  // Errors: kNotFound (no such file, as where fp32 was left out of an installation); kDataLoss naming file and tensor,
  // expected and found: a damaged file, a tensor of ExpectedTensors(spec) that is missing, of another shape or dtype
  // than F32, or not at a multiple of 4 bytes; kPermissionDenied.
  static absl::StatusOr<Fp32Weights> Open(const std::filesystem::path& directory, const ClassifierSpec& spec);

  // The values, row-major, of a tensor that NamesOfWeights(spec) names; its shape is that of ExpectedTensors(spec).
  // Nothing for another name. Valid as long as the object, or what it was moved into, lives.
  std::span<const float> Values(std::string_view name) const&;
  std::span<const float> Values(std::string_view name) const&& = delete;

 private:
  explicit Fp32Weights(Checkpoint checkpoint) : checkpoint_(std::move(checkpoint)) {}

  Checkpoint checkpoint_;
};

}  // namespace ks
