// The classifier over padded batches in operators of opset 14 that every runtime has. It has no LayerNormalization, Gelu
// or attention, so those are spelled out in the shapes that runtimes recognise and fuse again. Private to the room.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "graph/classifier.h"

namespace ks {

inline constexpr int kPortableIrVersion = 7;
inline constexpr OperatorSet kPortableOperatorSets[] = {{"", 14}};

class PortableDialect : public Dialect {
 public:
  // Appends the inputs and what is made of them alone. `table_type` is that of the embeddings, kFloat or kFloat16; their
  // rows are widened once they are gathered. `encoder` must outlive the dialect.
  PortableDialect(const EncoderSpec& encoder, ElementType table_type, GraphBuilder& graph);

  Value Embeddings(const WeightNames& weights) override;
  Value LayerNorm(const std::string& name, const Value& x, const NormNames& weights) override;
  Value Gelu(const std::string& name, const Value& x) override;
  Value Attention(const std::string& name, const Value& query, const Value& key, const Value& value) override;
  Value FirstTokens(const std::string& name, const Value& x) override;

 private:
  Value Ints(std::string_view name, std::initializer_list<int64_t> values);
  Value Table(const std::string& name, int64_t rows);
  Value Widened(const Value& rows);
  Value Heads(const std::string& name, const Value& x, std::vector<int64_t> permutation);
  void Shapes();
  void Mask(const Value& mask);

  const EncoderSpec& encoder_;
  const ElementType table_type_;
  Value ids_, type_ids_, mask_;
  Value zero_, one_, flat_, sequence_, padded_shape_, heads_shape_;
  Value half_, float_one_, two_, sqrt_two_, epsilon_, scale_;
};

// Appends the classifier and its output to `graph`, of which `dialect` is one, and serialises it.
absl::StatusOr<std::string> FinishPortableGraph(const ClassifierSpec& spec, PortableDialect& dialect,
                                                GraphBuilder& graph);

}  // namespace ks
