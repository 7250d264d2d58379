// The weights of a checkpoint as a package holds them: float32, Hugging Face's names, one file.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors.h"
#include "graph/encoder_graph.h"
#include "model/classifier_spec.h"
#include "package/writer.h"

namespace ks {

// Views into a checkpoint, which must outlive it.
class PackageWeights {
 public:
  // Finds every tensor that `spec` needs, under its name or the older one of LayerNorms, and leaves the others.
  //
  // Errors, naming file and tensor, with what was expected and found: kNotFound for a missing tensor, kDataLoss for one
  // of another shape, kFailedPrecondition for one that holds no F32, F16 or BF16.
  static absl::StatusOr<PackageWeights> Plan(const Checkpoint& checkpoint, const ClassifierSpec& spec);

  // All values of a tensor, by its name in `spec`. Errors: kDataLoss for a NaN or an infinity; kNotFound.
  absl::StatusOr<std::vector<float>> Read(std::string_view name) const;

  // Passes the bytes of the safetensors file to `sink`, in order. Error: of the sink; kDataLoss for a NaN or an
  // infinity.
  absl::Status Write(const ByteSink& sink) const;

  // Where each tensor lies once the bytes are in `file`.
  TensorPlacement Placement(std::string_view file) const;

 private:
  std::vector<const TensorView*> tensors_;
  std::vector<TensorDescription> descriptions_;  // of the same tensors, as they are written
  SafetensorsPlan plan_;
};

// Where the tensors of a planned file lie once its bytes are in `file`, as graphs name them; `tensors` is what was planned.
TensorPlacement PlacementOf(const SafetensorsPlan& plan, std::span<const TensorDescription> tensors,
                            std::string_view file);

}  // namespace ks
