// Quantisation of the encoder over real texts, layer by layer: each dense layer is rounded for what reaches it through
// the layers quantised before it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/package_weights.h"
#include "convert/quantize.h"
#include "text/tokenizer.h"

namespace ks {

// More tokens add time and memory, and nothing that was seen to help.
inline constexpr int kMaxCalibrationTokens = 65536;

// Sequences end to end, as PackedBatch wants them.
struct PackedTexts {
  std::vector<int32_t> ids;
  std::vector<int32_t> type_ids;
  std::vector<int32_t> offsets = {0};

  int sequences() const { return static_cast<int>(offsets.size()) - 1; }
};

// Tokenises `texts`, each cut to `window` tokens, until `max_tokens` are full. Errors: of the tokenizer.
absl::StatusOr<PackedTexts> PackTexts(const Tokenizer& tokenizer, std::span<const std::string> texts, int window,
                                      int max_tokens);

struct CalibrationOptions {
  std::vector<std::string> fp32_layers;                  // stay as they are (model/dense_layers.h)
  std::function<void(std::string_view layer)> progress;  // told of each dense layer; may be empty
};

// Rounds every other dense layer by GptqDense. Takes a minute or two for a small model and 60,000 tokens, on one
// thread, and 8 * F bytes of memory a token (F: the feed-forward's width). Deterministic on one machine.
//
// Errors: kInvalidArgument for no texts or an unknown layer; kDataLoss for weights that give no numbers.
absl::StatusOr<QuantizedLayers> CalibrateLayers(const ClassifierSpec& spec, const PackageWeights& weights,
                                                const PackedTexts& texts, const CalibrationOptions& options);

}  // namespace ks
