#include "model/dense_layers.h"

#include "base/strings.h"

namespace ks {

std::vector<DenseLayer> DenseLayers(const ClassifierSpec& spec) {
  const WeightNames names = NamesOfWeights(spec);
  const int hidden = spec.encoder.hidden_size;
  const int inner = spec.encoder.intermediate_size;
  std::vector<DenseLayer> layers;
  for (int i = 0; i < spec.encoder.layers; ++i) {
    const std::string prefix = Cat("layer.", i, ".");
    const LayerNames& layer = names.layers[i];
    layers.push_back({prefix + "qkv", {layer.query, layer.key, layer.value}, hidden, 3 * hidden});
    layers.push_back({prefix + "attention.output", {layer.attention_output}, hidden, hidden});
    layers.push_back({prefix + "ffn.in", {layer.ffn_in}, hidden, inner});
    layers.push_back({prefix + "ffn.out", {layer.ffn_out}, inner, hidden});
  }
  return layers;
}

}  // namespace ks
