// The int8 graph: few nodes, all of them ours (backend/onnx/operators.h says what each computes). A layer is one node;
// one that keeps a dense layer in fp32, or whose width the kernels cannot cut, is a node for each step, with the same
// bits: there residuals are added where the dense layer before them sums up, and the GELU is applied there too. As in
// classifier.cc the last layer goes on with first tokens alone after its attention.
// Tested by int8_graph_test.cc and backend/onnx/int8_backend_test.cc.
#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "graph/encoder_graph.h"
#include "graph/graph_builder.h"
#include "model/dense_layers.h"

namespace ks {
namespace {

constexpr int kIrVersion = 8;
constexpr std::string_view kOurDomain = "kubesentiment";
constexpr OperatorSet kOperatorSets[] = {{"", 17}, {kOurDomain, 1}};

// The kernels' layout of weights: outputs in blocks, inputs in groups (kernels/int8_linear.h).
constexpr int64_t kOutputBlock = 16;
constexpr int64_t kInputGroup = 4;

class Emitter {
 public:
  Emitter(const ClassifierSpec& spec, const TensorPlacement& placement, GraphBuilder& graph)
      : spec_(spec),
        encoder_(spec.encoder),
        names_(NamesOfWeights(spec)),
        dense_(DenseLayers(spec)),
        placement_(placement),
        graph_(graph) {}

  void Emit() {
    const Dimension tokens[] = {"tokens"};
    const Dimension boundaries[] = {"boundaries"};
    const Value ids = graph_.Input("input_ids", ElementType::kInt32, tokens);
    offsets_ = graph_.Input("offsets", ElementType::kInt32, boundaries);
    std::vector<Value> inputs = {ids, offsets_, Table(names_.word_embeddings, encoder_.vocab_size),
                                 Table(names_.position_embeddings, encoder_.max_positions)};
    if (encoder_.type_vocab_size > 0) {
      inputs.push_back(graph_.Input("token_type_ids", ElementType::kInt32, tokens));
      inputs.push_back(Table(names_.token_type_embeddings, encoder_.type_vocab_size));
    }
    Value x = graph_.Node("EmbeddingsHalf", "embeddings", inputs, {}, kOurDomain);
    x = Norm("embeddings.norm", x, names_.embedding_norm);
    for (int i = 0; i < encoder_.layers; ++i) x = IsOneNode(i) ? LayerNode(i, x) : Layer(i, x);

    const int64_t hidden = encoder_.hidden_size;
    x = Fp32("pooler", x, names_.pooler, hidden, hidden);
    x = Ours(encoder_.pooling == Pooling::kTanh ? "Tanh" : "Relu", "pooled", {x});
    Fp32("logits", x, names_.classifier, spec_.num_labels(), hidden);
    const Dimension logits[] = {"sequences", int64_t{spec_.num_labels()}};
    graph_.Output("logits", ElementType::kFloat, logits);
  }

 private:
  std::span<const DenseLayer> DenseOf(int index) const {
    return std::span(dense_).subspan(static_cast<size_t>(kDensePerLayer) * index, kDensePerLayer);
  }

  bool IsOneNode(int index) const {
    return encoder_.hidden_size % kOutputBlock == 0 &&
           std::ranges::none_of(DenseOf(index), [this](const DenseLayer& layer) { return IsFp32(layer); });
  }

  Value LayerNode(int index, const Value& x) {
    const LayerNames& names = names_.layers[index];
    const std::span<const DenseLayer> dense = DenseOf(index);
    std::vector<Value> values = {x, offsets_};
    AddInt8(dense[kQkv], values);
    AddInt8(dense[kAttentionOutput], values);
    AddNorm(names.attention_norm, values);
    AddInt8(dense[kFfnIn], values);
    AddInt8(dense[kFfnOut], values);
    AddNorm(names.ffn_norm, values);
    const Attribute attributes[] = {{"hidden", int64_t{encoder_.hidden_size}},
                                    {"inner", int64_t{encoder_.intermediate_size}},
                                    {"heads", int64_t{encoder_.heads}},
                                    {"epsilon", encoder_.layer_norm_eps},
                                    {"first_tokens", int64_t{index == encoder_.layers - 1}}};
    // Named after its last step, as the layers of other graphs name their results (graph/tapped_graph.h).
    return graph_.Node("EncoderLayer", Cat("layer.", index, ".ffn.norm"), values, attributes, kOurDomain);
  }

  Value Layer(int index, Value x) {
    const std::span<const DenseLayer> dense = DenseOf(index);
    const LayerNames& names = names_.layers[index];
    const std::string prefix = Cat("layer.", index, ".");
    const Value qkv = Dense(dense[kQkv], x);
    Value context =
        graph_.Node("PackedAttentionQkv", prefix + "attention", {qkv, offsets_},
                    {{"heads", int64_t{encoder_.heads}}, {"int8", int64_t{!IsFp32(dense[kQkv])}}}, kOurDomain);
    if (index == encoder_.layers - 1) {
      context = Ours("FirstTokens", prefix + "attention.first", {context, offsets_});
      x = Ours("FirstTokens", prefix + "first", {x, offsets_});
    }
    x = DenseAndNorm(dense[kAttentionOutput], context, x, prefix + "attention.norm", names.attention_norm);
    const Value inner = Dense(dense[kFfnIn], x, /*gelu=*/true);
    return DenseAndNorm(dense[kFfnOut], inner, x, prefix + "ffn.norm", names.ffn_norm);
  }

  bool IsFp32(const DenseLayer& layer) const { return placement_.contains(layer.name + ".weight"); }

  Value Dense(const DenseLayer& layer, const Value& x, bool gelu = false, const Value& residual = {}) {
    const int64_t outputs = layer.outputs;
    const int64_t inputs = layer.inputs;
    if (IsFp32(layer)) {
      return graph_.Node("LinearF32", layer.name,
                         {x, graph_.Weight(layer.name + ".weight", std::vector{outputs, inputs}),
                          graph_.Weight(layer.name + ".bias", std::vector{outputs})},
                         {{"gelu", int64_t{gelu}}}, kOurDomain);
    }
    std::vector<Value> values = {x};
    AddInt8(layer, values);
    if (!residual.empty()) values.push_back(residual);
    const Attribute attributes[] = {{"inputs", inputs}, {"outputs", outputs}, {"gelu", int64_t{gelu}}};
    return graph_.Node("Int8Linear", layer.name, values, attributes, kOurDomain);
  }

  void AddInt8(const DenseLayer& layer, std::vector<Value>& values) {
    const int64_t inputs = layer.inputs;
    const std::vector<int64_t> padded = {(layer.outputs + kOutputBlock - 1) / kOutputBlock * kOutputBlock};
    const std::vector<int64_t> bytes = {padded[0] * ((inputs + kInputGroup - 1) / kInputGroup * kInputGroup)};
    values.push_back(graph_.Weight(layer.name + ".packed", bytes, ElementType::kUint8));
    values.push_back(graph_.Weight(layer.name + ".scales", padded));
    values.push_back(graph_.Weight(layer.name + ".column_sums", padded, ElementType::kInt32));
    values.push_back(graph_.Weight(layer.name + ".bias", padded));
    values.push_back(graph_.Weight(layer.name + ".multipliers", std::vector{inputs}));
  }

  void AddNorm(const NormNames& norm, std::vector<Value>& values) {
    const std::vector<int64_t> shape = {encoder_.hidden_size};
    values.push_back(graph_.Weight(norm.weight, shape));
    values.push_back(graph_.Weight(norm.bias, shape));
  }

  Value DenseAndNorm(const DenseLayer& layer, const Value& x, const Value& residual, const std::string& name,
                     const NormNames& norm) {
    if (IsFp32(layer)) return Norm(name, Dense(layer, x), norm, residual);
    return Norm(name, Dense(layer, x, /*gelu=*/false, residual), norm);
  }

  Value Norm(const std::string& name, const Value& x, const NormNames& norm, const Value& residual = {}) {
    std::vector<Value> inputs = {x};
    AddNorm(norm, inputs);
    if (!residual.empty()) inputs.push_back(residual);
    const Attribute attributes[] = {{"epsilon", encoder_.layer_norm_eps}};
    return graph_.Node("LayerNormRows", name, inputs, attributes, kOurDomain);
  }

  Value Fp32(const std::string& name, const Value& x, const LinearNames& linear, int64_t outputs, int64_t inputs) {
    return graph_.Node("LinearF32", name,
                       {x, graph_.Weight(linear.weight, std::vector{outputs, inputs}),
                        graph_.Weight(linear.bias, std::vector{outputs})},
                       {{"gelu", int64_t{0}}}, kOurDomain);
  }

  Value Table(const std::string& name, int64_t rows) {
    return graph_.Weight(name, std::vector<int64_t>{rows, encoder_.hidden_size}, ElementType::kFloat16);
  }

  Value Ours(std::string_view op, const std::string& name, std::initializer_list<Value> inputs) {
    return graph_.Node(op, name, inputs, {}, kOurDomain);
  }

  const ClassifierSpec& spec_;
  const EncoderSpec& encoder_;
  const WeightNames names_;
  const std::vector<DenseLayer> dense_;
  const TensorPlacement& placement_;
  GraphBuilder& graph_;
  Value offsets_;
};

}  // namespace

absl::StatusOr<std::string> EmitInt8Graph(const ClassifierSpec& spec, const TensorPlacement& placement) {
  GraphBuilder graph("kubesentiment_int8", kIrVersion, kOperatorSets, placement);
  Emitter(spec, placement, graph).Emit();
  return graph.Serialise();
}

}  // namespace ks
