// Small checkpoints with random weights, for tests of everything that reads or runs a model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "checkpoint/tensor.h"
#include "model/classifier_spec.h"

namespace ks {

struct TinyCheckpointOptions {
  Architecture architecture = Architecture::kBert;
  std::vector<std::string> labels = {"NEGATIVE", "NEUTRAL", "POSITIVE"};
  std::string problem_type = "single_label_classification";
  uint64_t seed = 1;
  DType dtype = DType::kF32;       // or kF16, kBF16: every weight is exact in all three, so the model is the same
  int shards = 1;                  // more than one: with an index
  bool legacy_norm_names = false;  // LayerNorm.gamma and beta
};

// 2 layers, 32 wide, 4 heads, feed-forward 64, 40 positions, and a WordPiece vocabulary of the lower-case letters,
// digits, some punctuation and a few words. The words among others: good, great, bad, awful, love, hate, this, movie,
// not, the, is.
ClassifierSpec TinySpec(const TinyCheckpointOptions& options = {});

// The text of the tiny tokenizer.json: uncased BERT, as Hugging Face's `tokenizers` writes it.
std::string TinyTokenizerJson();

// The text of config.json.
std::string TinyConfigJson(const TinyCheckpointOptions& options = {});

// Writes config.json, tokenizer.json and the weights into `directory`, which is made where it is missing. The same
// options give the same bytes on every machine. Weights are multiples of 1/512 below 1/4 in magnitude (norms: around
// 1).
absl::Status WriteTinyCheckpoint(const std::filesystem::path& directory, const TinyCheckpointOptions& options = {});

}  // namespace ks
