// int8.bin: everything that int8 needs, where the kernels read it. A safetensors file, so that any tool can look inside;
// the tensors are those of EmitInt8Graph (graph/encoder_graph.h).
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "checkpoint/safetensors.h"
#include "convert/encoder.h"
#include "convert/quantize.h"
#include "graph/encoder_graph.h"
#include "package/writer.h"

namespace ks {

class Int8File {
 public:
  // `weights` and `layers` must outlive the plan; `layers` has one entry for each dense layer of `spec`.
  static Int8File Plan(const ClassifierSpec& spec, const PackageWeights& weights, const QuantizedLayers& layers);

  // Passes the bytes to `sink`, in order. Errors: of the sink; as PackageWeights::Read; kFailedPrecondition where an
  // embedding is too large for float16, naming the tensor.
  absl::Status Write(const ByteSink& sink) const;

  // Where each tensor lies once the bytes are in `file`.
  TensorPlacement Placement(std::string_view file) const;

 private:
  using Bytes = std::vector<std::byte>;
  using Producer = std::function<absl::StatusOr<Bytes>()>;

  void Add(std::string name, DType dtype, std::vector<int64_t> shape, Producer produce);
  void AddFloats(const PackageWeights& weights, const TensorSpec& tensor, DType dtype);
  void AddDense(const DenseLayer& layer, const QuantizedDense& dense);

  std::vector<TensorDescription> descriptions_;
  std::vector<Producer> producers_;  // of the same tensors
  SafetensorsPlan plan_;
};

// The encoder as int8.bin holds it: views into `file`, its bytes at a multiple of 64. `name` begins the messages.
// Errors: kDataLoss for a damaged file, a tensor that is missing or of another type or size than `spec` asks for.
absl::StatusOr<EncoderWeights> ReadInt8Weights(const ClassifierSpec& spec, std::span<const std::byte> file,
                                               std::string_view name);

}  // namespace ks
