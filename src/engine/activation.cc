#include "engine/activation.h"

#include <algorithm>
#include <cmath>

namespace ks {
namespace {

// Both branches raise e to a number that is not positive: no overflow, and full accuracy on either side of zero.
double Sigmoid(double x) {
  if (x >= 0) return 1 / (1 + std::exp(-x));
  const double e = std::exp(x);
  return e / (1 + e);
}

void Softmax(std::span<const float> logits, double temperature, std::span<float> scores) {
  if (logits.empty()) return;
  const double highest = *std::max_element(logits.begin(), logits.end());
  const auto weight = [&](float logit) { return std::exp((logit - highest) / temperature); };
  double sum = 0;
  for (const float logit : logits) sum += weight(logit);
  // The weights are computed again rather than kept: C is small and this way nothing is allocated.
  std::transform(logits.begin(), logits.end(), scores.begin(),
                 [&](float logit) { return static_cast<float>(weight(logit) / sum); });
}

}  // namespace

void Activate(std::span<const float> logits, Activation activation, float temperature, std::span<float> scores) {
  switch (activation) {
    case Activation::kSoftmax:
      Softmax(logits, temperature, scores);
      return;
    case Activation::kSigmoid:
      std::transform(logits.begin(), logits.end(), scores.begin(), [&](float logit) {
        return static_cast<float>(Sigmoid(static_cast<double>(logit) / temperature));
      });
      return;
    case Activation::kNone:
      std::copy(logits.begin(), logits.end(), scores.begin());
      return;
  }
}

std::vector<LabelScore> TopScores(std::span<const float> scores, int top_k) {
  std::vector<LabelScore> sorted;
  sorted.reserve(scores.size());
  for (size_t label = 0; label < scores.size(); ++label) sorted.push_back({static_cast<int>(label), scores[label]});
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const LabelScore& a, const LabelScore& b) { return a.score > b.score; });
  if (top_k > 0 && static_cast<size_t>(top_k) < sorted.size()) sorted.resize(static_cast<size_t>(top_k));
  return sorted;
}

}  // namespace ks
