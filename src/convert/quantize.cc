// Tested by quantize_test.cc.
#include "convert/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "base/status.h"
#include "base/status_macros.h"

namespace ks {

absl::StatusOr<FloatDense> ReadDense(const PackageWeights& weights, const DenseLayer& layer) {
  FloatDense dense = {.weight = {},
                      .bias = {},
                      .multipliers = std::vector<float>(static_cast<size_t>(layer.inputs), 1.0f),
                      .inputs = layer.inputs,
                      .outputs = layer.outputs};
  for (const LinearNames& part : layer.parts) {
    KS_ASSIGN_OR_RETURN(const std::vector<float> weight, weights.Read(part.weight));
    KS_ASSIGN_OR_RETURN(const std::vector<float> bias, weights.Read(part.bias));
    dense.weight.insert(dense.weight.end(), weight.begin(), weight.end());
    dense.bias.insert(dense.bias.end(), bias.begin(), bias.end());
  }
  return dense;
}

std::vector<float> RowScales(std::span<const float> weight, int outputs, int inputs) {
  std::vector<float> scales(outputs);
  for (int n = 0; n < outputs; ++n) {
    float largest = 0;
    for (const float value : weight.subspan(static_cast<size_t>(n) * inputs, inputs)) {
      largest = std::max(largest, std::abs(value));
    }
    scales[n] = largest / 127;
  }
  return scales;
}

QuantizedDense RoundDense(const FloatDense& dense) {
  QuantizedDense quantized = {.values = std::vector<int8_t>(dense.weight.size()),
                              .scales = RowScales(dense.weight, dense.outputs, dense.inputs),
                              .bias = dense.bias,
                              .multipliers = dense.multipliers,
                              .inputs = dense.inputs,
                              .outputs = dense.outputs};
  for (size_t i = 0; i < dense.weight.size(); ++i) {
    const float scale = quantized.scales[i / static_cast<size_t>(dense.inputs)];
    // A scale that underflows to 0 belongs to weights too small to matter.
    const float ratio = scale > 0 ? dense.weight[i] / scale : 0;
    quantized.values[i] = static_cast<int8_t>(std::clamp(std::nearbyint(ratio), -127.0f, 127.0f));
  }
  return quantized;
}

absl::StatusOr<QuantizedLayers> RoundLayers(const ClassifierSpec& spec, const PackageWeights& weights,
                                            std::span<const std::string> fp32_layers) {
  const std::vector<DenseLayer> layers = DenseLayers(spec);
  KS_RETURN_IF_ERROR(CheckLayerNames(layers, fp32_layers));
  QuantizedLayers quantized;
  for (const DenseLayer& layer : layers) {
    std::optional<QuantizedDense>& dense = quantized.dense.emplace_back();
    if (std::find(fp32_layers.begin(), fp32_layers.end(), layer.name) != fp32_layers.end()) continue;
    KS_ASSIGN_OR_RETURN(const FloatDense floats, ReadDense(weights, layer));
    dense = RoundDense(floats);
  }
  return quantized;
}

absl::Status KeepFp32(std::span<const DenseLayer> layers, std::span<const std::string> names,
                      QuantizedLayers& quantized) {
  KS_RETURN_IF_ERROR(CheckLayerNames(layers, names));
  for (size_t i = 0; i < layers.size(); ++i) {
    if (std::find(names.begin(), names.end(), layers[i].name) != names.end()) quantized.dense[i].reset();
  }
  return absl::OkStatus();
}

absl::Status CheckLayerNames(std::span<const DenseLayer> layers, std::span<const std::string> names) {
  for (const std::string& name : names) {
    const bool known =
        std::any_of(layers.begin(), layers.end(), [&](const DenseLayer& layer) { return layer.name == name; });
    if (known) continue;
    std::string list;
    for (const DenseLayer& layer : layers) list += Cat(list.empty() ? "" : ", ", layer.name);
    return InvalidArgument("keep-fp32: expected layers among ", list, "; found ", name);
  }
  return absl::OkStatus();
}

}  // namespace ks
