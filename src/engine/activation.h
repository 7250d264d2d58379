// Logits to scores.
#pragma once

#include <span>
#include <vector>

#include "engine/classification.h"

namespace ks {

// Scores of one row of logits, float32 [C] -> float32 [C]:
//   kSoftmax  exp(x / temperature), normalised to sum to 1 (within 1e-6 for any C of a classifier)
//   kSigmoid  1 / (1 + exp(-x / temperature)) of each
//   kNone     the logits themselves; the temperature has no part in it
// Computed in double, so that the float result is right to about its last bit and no logit overflows.
// Requires finite logits, temperature > 0, scores.size() == logits.size(). The two may be the same array.
void Activate(std::span<const float> logits, Activation activation, float temperature, std::span<float> scores);

// The `top_k` highest scores (all where top_k is 0 or more than there are), highest first, equal ones by label index.
// Requires scores without NaN.
std::vector<LabelScore> TopScores(std::span<const float> scores, int top_k);

}  // namespace ks
