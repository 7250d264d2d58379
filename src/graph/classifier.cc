// The head reads the first token alone, so the last layer computes no other one after its attention: three quarters of
// that layer's arithmetic, an eighth of the whole for six layers, falls away. The other tokens are needed up to there,
// as keys and values. Tested by encoder_graph_test.cc (structure), backend/onnx/onnx_backend_test.cc and
// tests/integration/test_portable_graph.py (numbers).
#include "graph/classifier.h"

#include "base/strings.h"

namespace ks {
namespace {

class Emitter {
 public:
  Emitter(const ClassifierSpec& spec, Dialect& dialect, GraphBuilder& graph)
      : spec_(spec), weights_(NamesOfWeights(spec)), dialect_(dialect), graph_(graph) {}

  void Emit() {
    Value x = dialect_.LayerNorm("embeddings.norm", dialect_.Embeddings(weights_), weights_.embedding_norm);
    for (int i = 0; i < spec_.encoder.layers; ++i) x = Layer(i, x);
    const int64_t hidden = spec_.encoder.hidden_size;
    x = dialect_.Linear("pooler", x, weights_.pooler, hidden, hidden);
    x = graph_.Node(spec_.encoder.pooling == Pooling::kTanh ? "Tanh" : "Relu", "pooled", {x});
    dialect_.Linear("logits", x, weights_.classifier, spec_.num_labels(), hidden);
  }

 private:
  Value Layer(int index, Value x) {
    const std::string name = Cat("layer.", index, ".");
    const LayerNames& weights = weights_.layers[index];
    const int64_t hidden = spec_.encoder.hidden_size;
    const int64_t inner = spec_.encoder.intermediate_size;

    const Value query = dialect_.Linear(name + "query", x, weights.query, hidden, hidden);
    const Value key = dialect_.Linear(name + "key", x, weights.key, hidden, hidden);
    const Value value = dialect_.Linear(name + "value", x, weights.value, hidden, hidden);
    Value attention = dialect_.Attention(name + "attention", query, key, value);
    if (index == spec_.encoder.layers - 1) {
      attention = dialect_.FirstTokens(name + "attention.first", attention);
      x = dialect_.FirstTokens(name + "first", x);
    }
    const Value projected =
        dialect_.Linear(name + "attention.output", attention, weights.attention_output, hidden, hidden);
    const Value sum = graph_.Node("Add", name + "attention.residual", {projected, x});
    x = dialect_.LayerNorm(name + "attention.norm", sum, weights.attention_norm);

    const Value raised = dialect_.Linear(name + "ffn.in", x, weights.ffn_in, inner, hidden);
    const Value active = dialect_.Gelu(name + "ffn.gelu", raised);
    const Value lowered = dialect_.Linear(name + "ffn.out", active, weights.ffn_out, hidden, inner);
    const Value ffn_sum = graph_.Node("Add", name + "ffn.residual", {lowered, x});
    return dialect_.LayerNorm(name + "ffn.norm", ffn_sum, weights.ffn_norm);
  }

  const ClassifierSpec& spec_;
  const WeightNames weights_;
  Dialect& dialect_;
  GraphBuilder& graph_;
};

}  // namespace

// Gemm with transB takes the weight as the checkpoint stores it, [out, in]; MatMul would need a transposed copy.
Value Dialect::Linear(const std::string& name, const Value& x, const LinearNames& weights, int64_t outputs,
                      int64_t inputs) {
  const Value weight = graph_.Weight(weights.weight, std::vector{outputs, inputs});
  const Value bias = graph_.Weight(weights.bias, std::vector{outputs});
  return graph_.Node("Gemm", name, {x, weight, bias}, {{"transB", int64_t{1}}});
}

void EmitClassifier(const ClassifierSpec& spec, Dialect& dialect, GraphBuilder& graph) {
  Emitter(spec, dialect, graph).Emit();
}

}  // namespace ks
