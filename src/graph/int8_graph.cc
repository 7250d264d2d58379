// The int8 graph: few nodes, all of them ours (backend/onnx/operators.h says what each computes). Layers are one node, as
// many as follow each other; one that keeps a dense layer in fp32, or whose width the kernels cannot cut, is a node for
// each step, with the same bits: there residuals are added where the dense layer before them sums up, and the GELU is
// applied there too. As in classifier.cc the last layer goes on with first tokens alone after its attention.
// Tested by int8_graph_test.cc and backend/onnx/int8_backend_test.cc.
#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "graph/encoder_graph.h"
#include "graph/graph_builder.h"
#include "graph/layers_node.h"
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
    AddWeights(NormTensors(names_.embedding_norm), inputs);
    if (encoder_.type_vocab_size > 0) {
      inputs.push_back(graph_.Input("token_type_ids", ElementType::kInt32, tokens));
      inputs.push_back(Table(names_.token_type_embeddings, encoder_.type_vocab_size));
    }
    const Attribute norm[] = {{"epsilon", encoder_.layer_norm_eps}};
    Value x = graph_.Node("NormedEmbeddings", "embeddings.norm", inputs, norm, kOurDomain);
    for (int i = 0; i < encoder_.layers;) {
      int end = i;
      while (end < encoder_.layers && IsWhole(end)) ++end;
      if (end > i) {
        x = LayersNode(i, end, x);
        i = end;
      } else {
        x = Layer(i++, x);
      }
    }

    std::vector<Value> head = {x};
    AddFp32(names_.pooler, encoder_.hidden_size, head);
    AddFp32(names_.classifier, spec_.num_labels(), head);
    const Attribute pooling[] = {{"tanh", int64_t{encoder_.pooling == Pooling::kTanh}}};
    graph_.Node("Classifier", "logits", head, pooling, kOurDomain);
    const Dimension logits[] = {"sequences", int64_t{spec_.num_labels()}};
    graph_.Output("logits", ElementType::kFloat, logits);
  }

 private:
  std::span<const DenseLayer> DenseOf(int index) const {
    return std::span(dense_).subspan(static_cast<size_t>(kDensePerLayer) * index, kDensePerLayer);
  }

  bool IsWhole(int index) const {
    return encoder_.hidden_size % kOutputBlock == 0 &&
           std::ranges::none_of(DenseOf(index), [this](const DenseLayer& layer) { return IsFp32(layer); });
  }

  // The layers [begin, end).
  Value LayersNode(int begin, int end, const Value& x) {
    std::vector<GraphBuilder::Tensor> tensors;
    const auto add = [&](const std::vector<GraphBuilder::Tensor>& some) {
      tensors.insert(tensors.end(), some.begin(), some.end());
    };
    for (int i = begin; i < end; ++i) {
      const LayerNames& names = names_.layers[i];
      const std::span<const DenseLayer> dense = DenseOf(i);
      add(Int8Tensors(dense[kQkv]));
      add(Int8Tensors(dense[kAttentionOutput]));
      add(NormTensors(names.attention_norm));
      add(Int8Tensors(dense[kFfnIn]));
      add(Int8Tensors(dense[kFfnOut]));
      add(NormTensors(names.ffn_norm));
    }
    const GraphBuilder::Bytes bytes = graph_.WeightBytes(Cat("layers.", begin, "-", end - 1), tensors);
    const Value inputs[] = {x, offsets_, bytes.value};
    const Attribute attributes[] = {{"hidden", int64_t{encoder_.hidden_size}},
                                    {"inner", int64_t{encoder_.intermediate_size}},
                                    {"heads", int64_t{encoder_.heads}},
                                    {"epsilon", encoder_.layer_norm_eps},
                                    {kLayersNodeFirstTokens, int64_t{end == encoder_.layers}},
                                    {kLayersNodeBegins, bytes.begins}};
    // Named after its last step, as the layers of other graphs name their results (graph/tapped_graph.h).
    return graph_.Node(kLayersNode, Cat("layer.", end - 1, ".ffn.norm"), inputs, attributes, kOurDomain);
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
    AddWeights(Int8Tensors(layer), values);
    if (!residual.empty()) values.push_back(residual);
    const Attribute attributes[] = {{"inputs", inputs}, {"outputs", outputs}, {"gelu", int64_t{gelu}}};
    return graph_.Node("Int8Linear", layer.name, values, attributes, kOurDomain);
  }

  std::vector<GraphBuilder::Tensor> Int8Tensors(const DenseLayer& layer) const {
    const int64_t inputs = layer.inputs;
    const std::vector<int64_t> padded = {(layer.outputs + kOutputBlock - 1) / kOutputBlock * kOutputBlock};
    const std::vector<int64_t> bytes = {padded[0] * ((inputs + kInputGroup - 1) / kInputGroup * kInputGroup)};
    return {{layer.name + ".packed", bytes, ElementType::kUint8},
            {layer.name + ".scales", padded},
            {layer.name + ".column_sums", padded, ElementType::kInt32},
            {layer.name + ".bias", padded},
            {layer.name + ".multipliers", {inputs}}};
  }

  std::vector<GraphBuilder::Tensor> NormTensors(const NormNames& norm) const {
    const std::vector<int64_t> shape = {encoder_.hidden_size};
    return {{norm.weight, shape}, {norm.bias, shape}};
  }

  void AddWeights(const std::vector<GraphBuilder::Tensor>& tensors, std::vector<Value>& values) {
    for (const auto& [name, shape, type] : tensors) values.push_back(graph_.Weight(name, shape, type));
  }

  Value DenseAndNorm(const DenseLayer& layer, const Value& x, const Value& residual, const std::string& name,
                     const NormNames& norm) {
    if (IsFp32(layer)) return Norm(name, Dense(layer, x), norm, residual);
    return Norm(name, Dense(layer, x, /*gelu=*/false, residual), norm);
  }

  Value Norm(const std::string& name, const Value& x, const NormNames& norm, const Value& residual = {}) {
    std::vector<Value> inputs = {x};
    AddWeights(NormTensors(norm), inputs);
    if (!residual.empty()) inputs.push_back(residual);
    const Attribute attributes[] = {{"epsilon", encoder_.layer_norm_eps}};
    return graph_.Node("LayerNormRows", name, inputs, attributes, kOurDomain);
  }

  void AddFp32(const LinearNames& linear, int64_t outputs, std::vector<Value>& values) {
    values.push_back(graph_.Weight(linear.weight, std::vector{outputs, int64_t{encoder_.hidden_size}}));
    values.push_back(graph_.Weight(linear.bias, std::vector{outputs}));
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
