// The classifier's computation, written once; a dialect says how each step looks in ONNX. Private to the room.
#pragma once

#include <string>

#include "graph/graph_builder.h"
#include "model/weights.h"

namespace ks {

// Hidden states are 2-D, [tokens, H], in every dialect: what tokens are (packed, or padded rows end to end) is its own
// affair. `name` is for the nodes that a call appends.
class Dialect {
 public:
  // `graph` must outlive the dialect.
  explicit Dialect(GraphBuilder& graph) : graph_(graph) {}
  virtual ~Dialect() = default;

  // The sum of word, position and token type embeddings, [tokens, H], before the norm.
  virtual Value Embeddings(const WeightNames& weights) = 0;
  virtual Value LayerNorm(const std::string& name, const Value& x, const NormNames& weights) = 0;
  virtual Value Gelu(const std::string& name, const Value& x) = 0;
  // Multi-head attention inside each sequence; query, key, value and result [tokens, H].
  virtual Value Attention(const std::string& name, const Value& query, const Value& key, const Value& value) = 0;
  // The first token of each sequence: [sequences, H].
  virtual Value FirstTokens(const std::string& name, const Value& x) = 0;
  // x W^T + b, [tokens, inputs] -> [tokens, outputs]; here one Gemm over `weights` as the checkpoint has them.
  virtual Value Linear(const std::string& name, const Value& x, const LinearNames& weights, int64_t outputs,
                       int64_t inputs);

 protected:
  GraphBuilder& graph_;
};

// Appends the nodes from the ids to `logits` ([sequences, C], the last node's name).
void EmitClassifier(const ClassifierSpec& spec, Dialect& dialect, GraphBuilder& graph);

}  // namespace ks
