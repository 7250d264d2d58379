// Tested by portable_int8_file_test.cc and tests/integration/test_portable_graph.py.
#include "convert/portable_int8_file.h"

#include <cstddef>
#include <cstdint>

#include "base/status_macros.h"
#include "convert/package_weights.h"

namespace ks {
namespace {

int PartOutputs(const DenseLayer& layer) { return layer.outputs / static_cast<int>(layer.parts.size()); }

// Rows [first, first + count) of a tensor.
TensorLocation RowsOf(const TensorLocation& tensor, int64_t first, int64_t count) {
  TensorLocation rows = tensor;
  const int64_t row_bytes = tensor.bytes / tensor.shape[0];
  rows.offset += first * row_bytes;
  rows.bytes = count * row_bytes;
  rows.shape[0] = count;
  return rows;
}

}  // namespace

PortableInt8File PortableInt8File::Plan(const ClassifierSpec& spec, const QuantizedLayers& layers) {
  PortableInt8File file;
  file.dense_layers_ = DenseLayers(spec);
  for (size_t i = 0; i < file.dense_layers_.size(); ++i) {
    if (!layers.dense[i]) continue;
    const DenseLayer& layer = file.dense_layers_[i];
    const int outputs = PartOutputs(layer);
    int first = 0;
    for (const LinearNames& part : layer.parts) {
      file.matrices_.push_back({&*layers.dense[i], first, outputs});
      file.descriptions_.push_back({part.weight + ".int8", DType::kI8, {layer.inputs, outputs}});
      first += outputs;
    }
  }
  file.plan_ = PlanSafetensors(file.descriptions_);
  return file;
}

absl::Status PortableInt8File::Write(const ByteSink& sink) const {
  KS_RETURN_IF_ERROR(sink(std::as_bytes(std::span(plan_.header))));
  std::vector<int8_t> transposed;
  for (const TensorPlace& place : plan_.places) {
    const Matrix& matrix = matrices_[place.index];
    const auto inputs = static_cast<size_t>(matrix.dense->inputs);
    const auto outputs = static_cast<size_t>(matrix.outputs);
    const int8_t* rows = matrix.dense->values.data() + static_cast<size_t>(matrix.first) * inputs;
    transposed.resize(inputs * outputs);
    for (size_t k = 0; k < inputs; ++k) {
      for (size_t n = 0; n < outputs; ++n) transposed[k * outputs + n] = rows[n * inputs + k];
    }
    KS_RETURN_IF_ERROR(sink(std::as_bytes(std::span(transposed))));
  }
  return absl::OkStatus();
}

TensorPlacement PortableInt8File::Placement(std::string_view file, const TensorPlacement& int8) const {
  TensorPlacement placement = PlacementOf(plan_, descriptions_, file);
  placement.insert(int8.begin(), int8.end());
  for (const DenseLayer& layer : dense_layers_) {
    const int outputs = PartOutputs(layer);
    const auto multipliers = int8.find(layer.name + ".multipliers");
    if (multipliers != int8.end()) placement[layer.parts.front().weight + ".multipliers"] = multipliers->second;
    int first = 0;
    for (const LinearNames& part : layer.parts) {
      const auto place = [&](const std::string& name, std::string_view tensor) {
        placement[name] = RowsOf(int8.at(Cat(layer.name, tensor)), first, outputs);
      };
      place(part.bias, ".bias");
      if (int8.contains(layer.name + ".weight")) {
        place(part.weight, ".weight");
      } else {
        place(part.weight + ".scales", ".scales");
        place(part.weight + ".column_sums", ".column_sums");
      }
      first += outputs;
    }
  }
  return placement;
}

}  // namespace ks
