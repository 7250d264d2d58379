#include "model/weights.h"

#include "base/strings.h"

namespace ks {
namespace {

LinearNames Linear(std::string_view prefix) { return {Cat(prefix, ".weight"), Cat(prefix, ".bias")}; }
NormNames Norm(std::string_view prefix) { return {Cat(prefix, ".weight"), Cat(prefix, ".bias")}; }

LayerNames BertLayer(int index) {
  const std::string layer = Cat("bert.encoder.layer.", index);
  return {
      .query = Linear(layer + ".attention.self.query"),
      .key = Linear(layer + ".attention.self.key"),
      .value = Linear(layer + ".attention.self.value"),
      .attention_output = Linear(layer + ".attention.output.dense"),
      .attention_norm = Norm(layer + ".attention.output.LayerNorm"),
      .ffn_in = Linear(layer + ".intermediate.dense"),
      .ffn_out = Linear(layer + ".output.dense"),
      .ffn_norm = Norm(layer + ".output.LayerNorm"),
  };
}

LayerNames DistilBertLayer(int index) {
  const std::string layer = Cat("distilbert.transformer.layer.", index);
  return {
      .query = Linear(layer + ".attention.q_lin"),
      .key = Linear(layer + ".attention.k_lin"),
      .value = Linear(layer + ".attention.v_lin"),
      .attention_output = Linear(layer + ".attention.out_lin"),
      .attention_norm = Norm(layer + ".sa_layer_norm"),
      .ffn_in = Linear(layer + ".ffn.lin1"),
      .ffn_out = Linear(layer + ".ffn.lin2"),
      .ffn_norm = Norm(layer + ".output_layer_norm"),
  };
}

}  // namespace

WeightNames NamesOfWeights(const ClassifierSpec& spec) {
  const bool bert = spec.encoder.architecture == Architecture::kBert;
  const std::string embeddings = bert ? "bert.embeddings" : "distilbert.embeddings";
  WeightNames names;
  names.word_embeddings = embeddings + ".word_embeddings.weight";
  names.position_embeddings = embeddings + ".position_embeddings.weight";
  if (spec.encoder.type_vocab_size > 0) names.token_type_embeddings = embeddings + ".token_type_embeddings.weight";
  names.embedding_norm = Norm(embeddings + ".LayerNorm");
  for (int i = 0; i < spec.encoder.layers; ++i) names.layers.push_back(bert ? BertLayer(i) : DistilBertLayer(i));
  names.pooler = Linear(bert ? "bert.pooler.dense" : "pre_classifier");
  names.classifier = Linear("classifier");
  return names;
}

std::vector<TensorSpec> ExpectedTensors(const ClassifierSpec& spec) {
  const WeightNames names = NamesOfWeights(spec);
  const int64_t hidden = spec.encoder.hidden_size;
  const int64_t inner = spec.encoder.intermediate_size;
  std::vector<TensorSpec> tensors;
  const auto linear = [&](const LinearNames& linear_names, int64_t out, int64_t in) {
    tensors.push_back({linear_names.weight, {out, in}});
    tensors.push_back({linear_names.bias, {out}});
  };
  const auto norm = [&](const NormNames& norm_names) {
    tensors.push_back({norm_names.weight, {hidden}});
    tensors.push_back({norm_names.bias, {hidden}});
  };

  tensors.push_back({names.word_embeddings, {spec.encoder.vocab_size, hidden}});
  tensors.push_back({names.position_embeddings, {spec.encoder.max_positions, hidden}});
  if (!names.token_type_embeddings.empty()) {
    tensors.push_back({names.token_type_embeddings, {spec.encoder.type_vocab_size, hidden}});
  }
  norm(names.embedding_norm);
  for (const LayerNames& layer : names.layers) {
    linear(layer.query, hidden, hidden);
    linear(layer.key, hidden, hidden);
    linear(layer.value, hidden, hidden);
    linear(layer.attention_output, hidden, hidden);
    norm(layer.attention_norm);
    linear(layer.ffn_in, inner, hidden);
    linear(layer.ffn_out, hidden, inner);
    norm(layer.ffn_norm);
  }
  linear(names.pooler, hidden, hidden);
  linear(names.classifier, spec.num_labels(), hidden);
  return tensors;
}

std::string LegacyName(std::string_view name) {
  constexpr std::string_view kWeight = "LayerNorm.weight";
  constexpr std::string_view kBias = "LayerNorm.bias";
  if (name.ends_with(kWeight)) return Cat(name.substr(0, name.size() - kWeight.size()), "LayerNorm.gamma");
  if (name.ends_with(kBias)) return Cat(name.substr(0, name.size() - kBias.size()), "LayerNorm.beta");
  return {};
}

}  // namespace ks
