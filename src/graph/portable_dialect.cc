// Tested by encoder_graph_test.cc, portable_int8_graph_test.cc and tests/integration/test_portable_graph.py.
#include "graph/portable_dialect.h"

#include <cmath>
#include <utility>

#include "base/strings.h"

namespace ks {
namespace {

// What is added to the score of a padding token. exp of it is 0 in float32, and unlike the lowest float it does not
// become an infinity (and a fully masked row NaN) where a runtime computes in float16.
constexpr float kMasked = -10000.0f;

}  // namespace

PortableDialect::PortableDialect(const EncoderSpec& encoder, ElementType table_type, GraphBuilder& graph)
    : Dialect(graph), encoder_(encoder), table_type_(table_type) {
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

Value PortableDialect::Embeddings(const WeightNames& weights) {
  const std::string name = "embeddings.";
  const Value words = Table(weights.word_embeddings, encoder_.vocab_size);
  Value x = Widened(graph_.Node("Gather", name + "words", {words, ids_}));
  const Value positions = Table(weights.position_embeddings, encoder_.max_positions);
  const Value rows = graph_.Node("Slice", name + "positions", {positions, zero_, sequence_, zero_});
  x = graph_.Node("Add", name + "words_positions", {x, Widened(rows)});
  if (encoder_.type_vocab_size > 0) {
    const Value types = Table(weights.token_type_embeddings, encoder_.type_vocab_size);
    x = graph_.Node("Add", name + "sum", {x, Widened(graph_.Node("Gather", name + "types", {types, type_ids_}))});
  }
  return graph_.Node("Reshape", "embeddings", {x, flat_});
}

Value PortableDialect::LayerNorm(const std::string& name, const Value& x, const NormNames& weights) {
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

Value PortableDialect::Gelu(const std::string& name, const Value& x) {
  const Value ratio = graph_.Node("Div", name + ".ratio", {x, sqrt_two_});
  const Value erf = graph_.Node("Erf", name + ".erf", {ratio});
  const Value gate = graph_.Node("Add", name + ".gate", {erf, float_one_});
  const Value gated = graph_.Node("Mul", name + ".gated", {x, gate});
  return graph_.Node("Mul", name, {gated, half_});
}

Value PortableDialect::Attention(const std::string& name, const Value& query, const Value& key, const Value& value) {
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

Value PortableDialect::FirstTokens(const std::string& name, const Value& x) {
  const Value padded = graph_.Node("Reshape", name + ".padded", {x, padded_shape_});
  const Value first = graph_.Node("Slice", name + ".slice", {padded, zero_, one_, one_});
  return graph_.Node("Reshape", name, {first, flat_});
}

Value PortableDialect::Ints(std::string_view name, std::initializer_list<int64_t> values) {
  return graph_.Int64s(name, {values.begin(), values.size()});
}

Value PortableDialect::Table(const std::string& name, int64_t rows) {
  return graph_.Weight(name, std::vector<int64_t>{rows, encoder_.hidden_size}, table_type_);
}

Value PortableDialect::Widened(const Value& rows) {
  return table_type_ == ElementType::kFloat ? rows : graph_.Cast(rows + ".wide", rows, ElementType::kFloat);
}

Value PortableDialect::Heads(const std::string& name, const Value& x, std::vector<int64_t> permutation) {
  const Value split = graph_.Node("Reshape", name + "_heads", {x, heads_shape_});
  return graph_.Node("Transpose", name + "_by_head", {split}, {{"perm", std::move(permutation)}});
}

// [batch, sequence, H] and [batch, sequence, heads, head size], of the input at hand.
void PortableDialect::Shapes() {
  const Value shape = graph_.Node("Shape", "input_shape", {ids_});
  sequence_ = graph_.Node("Slice", "sequence_length", {shape, one_, Ints("const.rank", {2}), zero_});
  const Value hidden = Ints("const.hidden", {encoder_.hidden_size});
  const Value heads = Ints("const.heads", {encoder_.heads, encoder_.head_size()});
  padded_shape_ = graph_.Node("Concat", "padded_shape", {shape, hidden}, {{"axis", int64_t{0}}});
  heads_shape_ = graph_.Node("Concat", "heads_shape", {shape, heads}, {{"axis", int64_t{0}}});
}

// [batch, 1, 1, sequence]: 0 for a token, kMasked for padding.
void PortableDialect::Mask(const Value& mask) {
  const Value wide = graph_.Node("Unsqueeze", "mask.wide", {mask, Ints("const.mask_axes", {1, 2})});
  const Value number = graph_.Cast("mask.float", wide, ElementType::kFloat);
  const Value padding = graph_.Node("Sub", "mask.padding", {float_one_, number});
  mask_ = graph_.Node("Mul", "mask", {padding, graph_.FloatScalar("const.masked", kMasked)});
}

absl::StatusOr<std::string> FinishPortableGraph(const ClassifierSpec& spec, PortableDialect& dialect,
                                                GraphBuilder& graph) {
  EmitClassifier(spec, dialect, graph);
  const Dimension logits[] = {"batch", int64_t{spec.num_labels()}};
  graph.Output("logits", ElementType::kFloat, logits);
  return graph.Serialise();
}

}  // namespace ks
