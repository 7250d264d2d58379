// Two sides after each layer: where do they part?
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/backend.h"
#include "measure/run_texts.h"

namespace ks {

// How far one text's hidden states are apart: the root of the mean square of the difference, over that of the
// reference.
struct LayerText {
  int example = 0;
  double difference = 0;
};

struct LayerDifference {
  std::string tap;               // Backend::Tap: "embeddings", "layer.0", ..
  double difference = 0;         // as LayerText, over all texts together
  double tolerance = 0;          // of each text
  int outside = 0;               // texts that leave it
  std::vector<LayerText> worst;  // at most kWorstLayerTexts, the worst first
};

struct LayerComparison {
  int texts = 0;
  std::vector<LayerDifference> layers;  // in the order of the model

  // The first of which a text leaves the tolerance; nullptr where none does.
  const LayerDifference* FirstOutside() const;
};

inline constexpr int kWorstLayerTexts = 5;

// The relative difference of one text's hidden states that is no sign of a mistake, for a candidate of `precision`
// against an fp32 reference: another order of summation in fp32; in int8 what float16 leaves of the embeddings (`layer`
// 0) and rounding to 8 bits behind `layer` layers, which grows with each. Some three times what a sound model shows.
double LayerTolerance(std::string_view precision, int layer);

// Runs `texts` one by one through both sides by Backend::RunTraced and compares each tap. Where one side shows a layer
// whole and the other the first token alone, the first token is compared. Blocks; slower than a plain run.
// Errors: of RunTraced (kUnimplemented where a side has no taps); kInternal where the sides' taps are not the same.
absl::StatusOr<LayerComparison> CompareLayers(const TokenizedTexts& texts, Backend& reference, Backend& candidate,
                                              const TextProgress& progress);

}  // namespace ks
