// Tested by reliability_test.cc.
#include "measure/reliability.h"

#include <algorithm>
#include <cmath>

namespace ks {
namespace {

constexpr double kFitTolerance = 1e-6;  // of the logarithm of a temperature

struct Row {
  std::span<const float> logits;  // [C]
  int label = 0;
  int top = 0;  // the first of the largest
};

template <typename Visit>
void ForEachRow(const LabelledLogits& logits, Visit visit) {
  const auto classes = static_cast<size_t>(logits.classes);
  for (size_t i = 0; i < logits.labels.size(); ++i) {
    const auto row = logits.values.subspan(i * classes, classes);
    const auto top = static_cast<int>(std::ranges::max_element(row) - row.begin());
    visit(Row{.logits = row, .label = logits.labels[i], .top = top});
  }
}

// The derivative of the summed log loss by 1 / temperature: the expected logit less the right label's. It never falls.
double Slope(const LabelledLogits& logits, double temperature) {
  double slope = 0;
  ForEachRow(logits, [&](const Row& row) {
    const double highest = row.logits[row.top];
    double sum = 0;
    double weighed = 0;
    for (const float logit : row.logits) {
      const double below = logit - highest;
      const double weight = std::exp(below / temperature);
      sum += weight;
      weighed += weight * below;
    }
    slope += weighed / sum - (row.logits[row.label] - highest);
  });
  return slope;
}

bool AllAlike(const LabelledLogits& logits) {
  bool alike = true;
  ForEachRow(logits, [&](const Row& row) { alike = alike && std::ranges::min(row.logits) == row.logits[row.top]; });
  return alike;
}

}  // namespace

Reliability MeasureReliability(const LabelledLogits& logits, double temperature) {
  Reliability result = {.temperature = temperature, .bins = std::vector<ReliabilityBin>(kReliabilityBins)};
  ForEachRow(logits, [&](const Row& row) {
    const double highest = row.logits[row.top];
    double sum = 0;
    for (const float logit : row.logits) sum += std::exp((logit - highest) / temperature);
    const double confidence = 1 / sum;
    ReliabilityBin& bin = result.bins[std::min(static_cast<int>(confidence * kReliabilityBins), kReliabilityBins - 1)];
    ++bin.texts;
    bin.confidence += confidence;
    bin.accuracy += row.top == row.label;
    result.log_loss += std::log(sum) - (row.logits[row.label] - highest) / temperature;
  });
  if (logits.labels.empty()) return result;
  const auto texts = static_cast<double>(logits.labels.size());
  result.log_loss /= texts;
  for (ReliabilityBin& bin : result.bins) {
    if (bin.texts == 0) continue;
    result.error += std::abs(bin.accuracy - bin.confidence) / texts;
    bin.confidence /= static_cast<double>(bin.texts);
    bin.accuracy /= static_cast<double>(bin.texts);
  }
  return result;
}

double FitTemperature(const LabelledLogits& logits) {
  if (AllAlike(logits)) return 1;
  // A slope below 0 asks for a larger 1 / temperature, that is, for a lower temperature.
  if (Slope(logits, kLowestFittedTemperature) <= 0) return kLowestFittedTemperature;
  if (Slope(logits, kHighestFittedTemperature) >= 0) return kHighestFittedTemperature;
  double low = std::log(kLowestFittedTemperature);
  double high = std::log(kHighestFittedTemperature);
  while (high - low > kFitTolerance) {
    const double middle = (low + high) / 2;
    (Slope(logits, std::exp(middle)) > 0 ? low : high) = middle;
  }
  return std::exp((low + high) / 2);
}

}  // namespace ks
