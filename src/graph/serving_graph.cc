// The serving graph. Which operators are fast in ONNX Runtime was measured: a plain Add before a plain
// LayerNormalization (SkipLayerNormalization is a scalar loop), the contrib Gelu behind a Gemm that adds the bias
// itself. Every node costs about 50 us when a session opens, so three of ours stand for what would be many (domain
// "kubesentiment", version 1):
//
//   Embeddings(ids i32 [T], offsets i32 [B+1], words [V, H], positions [P, H], type_ids i32 [T]?, types [K, H]?)
//       -> [T, H]
//     words[ids[t]] + positions[t - start of its sequence] + types[type_ids[t]]
//   PackedAttention(query [T, H], key [T, H], value [T, H], offsets i32 [B+1]; heads: int) -> [T, H]
//     softmax(q k^T / sqrt(H / heads)) v inside each sequence and head
//   FirstTokens(x [T, H], offsets i32 [B+1]) -> [B, H]
//     the row of each sequence's first token
//
// Tested by encoder_graph_test.cc and backend/onnx/onnx_backend_test.cc.
#include "graph/classifier.h"
#include "graph/encoder_graph.h"

namespace ks {
namespace {

constexpr int kIrVersion = 8;
constexpr std::string_view kOurDomain = "kubesentiment";
constexpr std::string_view kContribDomain = "com.microsoft";
constexpr OperatorSet kOperatorSets[] = {{"", 17}, {kContribDomain, 1}, {kOurDomain, 1}};

class ServingDialect final : public Dialect {
 public:
  ServingDialect(const EncoderSpec& encoder, GraphBuilder& graph) : Dialect(graph), encoder_(encoder) {
    const Dimension tokens[] = {"tokens"};
    const Dimension boundaries[] = {"boundaries"};
    ids_ = graph_.Input("input_ids", ElementType::kInt32, tokens);
    offsets_ = graph_.Input("offsets", ElementType::kInt32, boundaries);
    if (encoder_.type_vocab_size > 0) type_ids_ = graph_.Input("token_type_ids", ElementType::kInt32, tokens);
  }

  Value Embeddings(const WeightNames& weights) override {
    const int64_t hidden = encoder_.hidden_size;
    std::vector<Value> inputs = {
        ids_, offsets_, graph_.Weight(weights.word_embeddings, std::vector<int64_t>{encoder_.vocab_size, hidden}),
        graph_.Weight(weights.position_embeddings, std::vector<int64_t>{encoder_.max_positions, hidden})};
    if (encoder_.type_vocab_size > 0) {
      inputs.push_back(type_ids_);
      inputs.push_back(
          graph_.Weight(weights.token_type_embeddings, std::vector<int64_t>{encoder_.type_vocab_size, hidden}));
    }
    return graph_.Node("Embeddings", "embeddings", inputs, {}, kOurDomain);
  }

  Value LayerNorm(const std::string& name, const Value& x, const NormNames& weights) override {
    const std::vector<int64_t> shape = {encoder_.hidden_size};
    return graph_.Node("LayerNormalization", name,
                       {x, graph_.Weight(weights.weight, shape), graph_.Weight(weights.bias, shape)},
                       {{"axis", int64_t{-1}}, {"epsilon", encoder_.layer_norm_eps}});
  }

  Value Gelu(const std::string& name, const Value& x) override {
    return graph_.Node("Gelu", name, {x}, {}, kContribDomain);
  }

  Value Attention(const std::string& name, const Value& query, const Value& key, const Value& value) override {
    return graph_.Node("PackedAttention", name, {query, key, value, offsets_}, {{"heads", int64_t{encoder_.heads}}},
                       kOurDomain);
  }

  Value FirstTokens(const std::string& name, const Value& x) override {
    return graph_.Node("FirstTokens", name, {x, offsets_}, {}, kOurDomain);
  }

 private:
  const EncoderSpec& encoder_;
  Value ids_, offsets_, type_ids_;
};

}  // namespace

absl::StatusOr<std::string> EmitServingGraph(const ClassifierSpec& spec, const TensorPlacement& placement) {
  GraphBuilder graph("kubesentiment_serving", kIrVersion, kOperatorSets, placement);
  ServingDialect dialect(spec.encoder, graph);
  EmitClassifier(spec, dialect, graph);
  const Dimension logits[] = {"sequences", int64_t{spec.num_labels()}};
  graph.Output("logits", ElementType::kFloat, logits);
  return graph.Serialise();
}

}  // namespace ks
