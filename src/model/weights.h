// The tensors of a classifier under their Hugging Face names: the one place that knows them.
//
//   const WeightNames names = NamesOfWeights(spec);
//   lookup(names.layers[3].query.weight);   // "bert.encoder.layer.3.attention.self.query.weight"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/classifier_spec.h"

namespace ks {

// y = x W^T + b: weight [out, in], row-major, and bias [out].
struct LinearNames {
  std::string weight;
  std::string bias;
};

// weight (gamma) [H] and bias (beta) [H].
struct NormNames {
  std::string weight;
  std::string bias;
};

// One post-norm encoder layer, in the order of the computation:
//   a = attention_norm(x + attention_output(attention(query(x), key(x), value(x))))
//   y = ffn_norm(a + ffn_out(gelu(ffn_in(a))))
struct LayerNames {
  LinearNames query;             // [H, H]
  LinearNames key;               // [H, H]
  LinearNames value;             // [H, H]
  LinearNames attention_output;  // [H, H]
  NormNames attention_norm;
  LinearNames ffn_in;   // [F, H]
  LinearNames ffn_out;  // [H, F]
  NormNames ffn_norm;
};

struct WeightNames {
  std::string word_embeddings;        // [vocab_size, H]
  std::string position_embeddings;    // [max_positions, H]
  std::string token_type_embeddings;  // [type_vocab_size, H]; empty where the model has none
  NormNames embedding_norm;
  std::vector<LayerNames> layers;
  LinearNames pooler;      // [H, H]: bert.pooler.dense or pre_classifier
  LinearNames classifier;  // [C, H]
};

WeightNames NamesOfWeights(const ClassifierSpec& spec);

struct TensorSpec {
  std::string name;
  std::vector<int64_t> shape;
};

// Every tensor of WeightNames with its shape, in the order of the computation. A checkpoint may hold more (buffers,
// heads of the pre-training), never less.
std::vector<TensorSpec> ExpectedTensors(const ClassifierSpec& spec);

// Checkpoints of the first PyTorch BERTs call the parameters of a LayerNorm gamma and beta: the older name of `name`,
// or an empty string where there is none ("...LayerNorm.weight" -> "...LayerNorm.gamma").
std::string LegacyName(std::string_view name);

}  // namespace ks
