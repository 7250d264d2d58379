// portable_int8.bin: the int8 matrices as MatMulInteger takes them, [K, N]. The rest of what portable_int8.onnx needs lies in
// int8.bin already, in parts that the graph names there.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "checkpoint/safetensors.h"
#include "convert/quantize.h"
#include "graph/encoder_graph.h"
#include "package/writer.h"

namespace ks {

class PortableInt8File {
 public:
  // `layers` has one entry for each dense layer of `spec` and must outlive the plan.
  static PortableInt8File Plan(const ClassifierSpec& spec, const QuantizedLayers& layers);

  // Passes the bytes to `sink`, in order. Errors: of the sink.
  absl::Status Write(const ByteSink& sink) const;

  // Where each tensor of EmitPortableInt8Graph lies once the bytes are in `file`, beside an int8.bin of the same layers
  // whose tensors lie at `int8` (Int8File::Placement).
  TensorPlacement Placement(std::string_view file, const TensorPlacement& int8) const;

 private:
  // One matrix of the file: rows [first, first + outputs) of a quantised layer. Query, key and value are parts of one.
  struct Matrix {
    const QuantizedDense* dense;
    int first;
    int outputs;
  };

  std::vector<DenseLayer> dense_layers_;
  std::vector<Matrix> matrices_;
  std::vector<TensorDescription> descriptions_;  // of the same matrices
  SafetensorsPlan plan_;
};

}  // namespace ks
