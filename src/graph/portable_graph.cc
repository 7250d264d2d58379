// The portable graph, in operators of opset 14 that every runtime has; it has no LayerNormalization, Gelu or attention,
// so those are spelled out in the shapes that runtimes recognise and fuse again. Tested by encoder_graph_test.cc and
// tests/portable_graph_test.py.
#include <cmath>

#include "base/strings.h"
#include "graph/classifier.h"
#include "graph/encoder_graph.h"

namespace ks {
namespace {

constexpr int kIrVersion = 7;
constexpr OperatorSet kOperatorSets[] = {{"", 14}};

// What is added to the score of a padding token. exp of it is 0 in float32, and unlike the lowest float it does not
// become an infinity (and a fully masked row NaN) where a runtime computes in float16.
constexpr float kMasked = -10000.0f;

class PortableDialect final : public Dialect {
 public:
  PortableDialect(const EncoderSpec& encoder, GraphBuilder& graph) : encoder_(encoder), graph_(graph) {
    const Dimension padded[] = {"batch", "sequence"};
    ids_ = graph_.Input("input_ids", ElementType::kInt64, padded);
    const Value mask = graph_.Input("attention_mask", ElementType::kInt64, padded);
    if (encoder_.type_vocab_size > 0) type_ids_ = graph_.Input("token_type_ids", ElementType::kInt64, padded);

    zero_ = Ints("const.zero", {0});
    one_ = Ints("const.one", {1});
    flat_ = Ints("const.flat", {-1, encoder_.hidden_size});
    half_ = graph_.FloatScalar("const.half", 0.5f);
    float_one_ = graph_.FloatScalar("const.float_one", 1.0f);
    two_ = graph_.FloatScalar("const.two", 2.0f);
    sqrt_two_ = graph_.FloatScalar("const.sqrt_two", std::sqrt(2.0f));
    epsilon_ = graph_.FloatScalar("const.epsilon", encoder_.layer_norm_eps);
    scale_ = graph_.FloatScalar("const.attention_scale", 1.0f / std::sqrt(static_cast<float>(encoder_.head_size())));
    Shapes();
    Mask(mask);
  }

  Value Embeddings(const WeightNames& weights) override {
    const std::string name = "embeddings.";
    Value x = graph_.Node("Gather", name + "words", {Table(weights.word_embeddings, encoder_.vocab_size), ids_});
    const Value positions = Table(weights.position_embeddings, encoder_.max_positions);
    x = graph_.Node("Add", name + "words_positions",
                    {x, graph_.Node("Slice", name + "positions", {positions, zero_, sequence_, zero_})});
    if (encoder_.type_vocab_size > 0) {
      const Value types = Table(weights.token_type_embeddings, encoder_.type_vocab_size);
      x = graph_.Node("Add", name + "sum", {x, graph_.Node("Gather", name + "types", {types, type_ids_})});
    }
    return graph_.Node("Reshape", "embeddings", {x, flat_});
  }

  Value LayerNorm(const std::string& name, const Value& x, const NormNames& weights) override {
    const std::vector<int64_t> shape = {encoder_.hidden_size};
    const Attribute last_axis = {"axes", std::vector<int64_t>{-1}};
    const Value mean = graph_.Node("ReduceMean", name + ".mean", {x}, {last_axis});
    const Value centred = graph_.Node("Sub", name + ".centred", {x, mean});
    const Value squares = graph_.Node("Pow", name + ".squares", {centred, two_});
    const Value variance = graph_.Node("ReduceMean", name + ".variance", {squares}, {last_axis});
    const Value safe = graph_.Node("Add", name + ".variance_epsilon", {variance, epsilon_});
    const Value deviation = graph_.Node("Sqrt", name + ".deviation", {safe});
    const Value normal = graph_.Node("Div", name + ".normal", {centred, deviation});
    const Value scaled = graph_.Node("Mul", name + ".scaled", {normal, graph_.Weight(weights.weight, shape)});
    return graph_.Node("Add", name, {scaled, graph_.Weight(weights.bias, shape)});
  }

  Value Gelu(const std::string& name, const Value& x) override {
    const Value ratio = graph_.Node("Div", name + ".ratio", {x, sqrt_two_});
    const Value erf = graph_.Node("Erf", name + ".erf", {ratio});
    const Value gate = graph_.Node("Add", name + ".gate", {erf, float_one_});
    const Value gated = graph_.Node("Mul", name + ".gated", {x, gate});
    return graph_.Node("Mul", name, {gated, half_});
  }

  Value Attention(const std::string& name, const Value& query, const Value& key, const Value& value) override {
    // [batch, heads, sequence, head size], the key with its last two axes exchanged.
    const Value q = Heads(name + ".query", query, {0, 2, 1, 3});
    const Value k = Heads(name + ".key", key, {0, 2, 3, 1});
    const Value v = Heads(name + ".value", value, {0, 2, 1, 3});
    const Value products = graph_.Node("MatMul", name + ".products", {q, k});
    const Value scores = graph_.Node("Mul", name + ".scores", {products, scale_});
    const Value masked = graph_.Node("Add", name + ".masked", {scores, mask_});
    const Value shares = graph_.Node("Softmax", name + ".shares", {masked}, {{"axis", int64_t{-1}}});
    const Value mixed = graph_.Node("MatMul", name + ".mixed", {shares, v});
    const Value rows = graph_.Node("Transpose", name + ".rows", {mixed}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
    return graph_.Node("Reshape", name, {rows, flat_});
  }

  Value FirstTokens(const std::string& name, const Value& x) override {
    const Value padded = graph_.Node("Reshape", name + ".padded", {x, padded_shape_});
    const Value first = graph_.Node("Slice", name + ".slice", {padded, zero_, one_, one_});
    return graph_.Node("Reshape", name, {first, flat_});
  }

 private:
  Value Ints(std::string_view name, std::initializer_list<int64_t> values) {
    return graph_.Int64s(name, {values.begin(), values.size()});
  }

  Value Table(const std::string& name, int64_t rows) {
    return graph_.Weight(name, std::vector<int64_t>{rows, encoder_.hidden_size});
  }

  Value Heads(const std::string& name, const Value& x, std::vector<int64_t> permutation) {
    const Value split = graph_.Node("Reshape", name + "_heads", {x, heads_shape_});
    return graph_.Node("Transpose", name + "_by_head", {split}, {{"perm", std::move(permutation)}});
  }

  // [batch, sequence, H] and [batch, sequence, heads, head size], of the input at hand.
  void Shapes() {
    const Value shape = graph_.Node("Shape", "input_shape", {ids_});
    sequence_ = graph_.Node("Slice", "sequence_length", {shape, one_, Ints("const.rank", {2}), zero_});
    const Value hidden = Ints("const.hidden", {encoder_.hidden_size});
    const Value heads = Ints("const.heads", {encoder_.heads, encoder_.head_size()});
    padded_shape_ = graph_.Node("Concat", "padded_shape", {shape, hidden}, {{"axis", int64_t{0}}});
    heads_shape_ = graph_.Node("Concat", "heads_shape", {shape, heads}, {{"axis", int64_t{0}}});
  }

  // [batch, 1, 1, sequence]: 0 for a token, kMasked for padding.
  void Mask(const Value& mask) {
    const Value wide = graph_.Node("Unsqueeze", "mask.wide", {mask, Ints("const.mask_axes", {1, 2})});
    constexpr int64_t kFloat = 1;  // TensorProto.FLOAT
    const Value number = graph_.Node("Cast", "mask.float", {wide}, {{"to", kFloat}});
    const Value padding = graph_.Node("Sub", "mask.padding", {float_one_, number});
    mask_ = graph_.Node("Mul", "mask", {padding, graph_.FloatScalar("const.masked", kMasked)});
  }

  const EncoderSpec& encoder_;
  GraphBuilder& graph_;
  Value ids_, type_ids_, mask_;
  Value zero_, one_, flat_, sequence_, padded_shape_, heads_shape_;
  Value half_, float_one_, two_, sqrt_two_, epsilon_, scale_;
};

}  // namespace

absl::StatusOr<std::string> EmitPortableGraph(const ClassifierSpec& spec, const TensorPlacement& placement) {
  GraphBuilder graph("kubesentiment_portable", kIrVersion, kOperatorSets, placement);
  PortableDialect dialect(spec.encoder, graph);
  EmitClassifier(spec, dialect, graph);
  const Dimension logits[] = {"batch", int64_t{spec.num_labels()}};
  graph.Output("logits", ElementType::kFloat, logits);
  return graph.Serialise();
}

}  // namespace ks
