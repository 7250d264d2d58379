// What a classifier is: sizes, pooling, head, labels. Read from a Hugging Face config.json, kept in the package's
// manifest.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ks {

// Encoders with absolute positions and post-norm layers. The names are config.json's `model_type`.
enum class Architecture { kBert, kDistilBert };

// How the first token's hidden state becomes the head's input: dense (hidden -> hidden), then this.
enum class Pooling {
  kTanh,  // BERT: bert.pooler.dense
  kRelu,  // DistilBERT: pre_classifier
};

struct EncoderSpec {
  Architecture architecture = Architecture::kBert;
  int vocab_size = 0;
  int hidden_size = 0;        // H
  int intermediate_size = 0;  // F, the feed-forward's inner width
  int layers = 0;
  int heads = 0;  // H is a multiple of it
  int max_positions = 0;
  int type_vocab_size = 0;  // 0: no token type embeddings (DistilBERT)
  float layer_norm_eps = 1e-12f;
  int pad_id = 0;
  Pooling pooling = Pooling::kTanh;

  int head_size() const { return hidden_size / heads; }
  bool operator==(const EncoderSpec&) const = default;
};

// What turns logits into scores. Hugging Face: regression -> none; multi-label or one label -> sigmoid; else softmax.
enum class Activation { kSoftmax, kSigmoid, kNone };

struct ClassifierSpec {
  EncoderSpec encoder;
  std::vector<std::string> labels;  // labels[i] names logit i; unique, not empty
  Activation activation = Activation::kSoftmax;

  int num_labels() const { return static_cast<int>(labels.size()); }
  bool operator==(const ClassifierSpec&) const = default;
};

// "bert", "distilbert"; "softmax", "sigmoid", "none".
std::string_view ArchitectureName(Architecture architecture);
std::string_view ActivationName(Activation activation);

}  // namespace ks
