// How often probabilities are right beside how often they say so, and the temperature that would bring the two
// together.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ks {

// Bins of equal width from 0 to 1.
inline constexpr int kReliabilityBins = 15;

// Where FitTemperature looks.
inline constexpr double kLowestFittedTemperature = 0.05;
inline constexpr double kHighestFittedTemperature = 20;

// Logits of labelled texts. Views: only read during a call.
struct LabelledLogits {
  std::span<const float> values;  // [N, C], finite, C >= 2
  std::span<const int> labels;    // [N], each in [0, C)
  int classes = 0;                // C
};

// The texts whose top probability is in [b / 15, (b + 1) / 15), for bin b; 1 belongs to the last.
struct ReliabilityBin {
  int64_t texts = 0;
  double confidence = 0;  // the mean of their top probabilities; 0 without texts
  double accuracy = 0;    // the share of them that has the right label on top; 0 without texts
};

// What the probabilities softmax(logits / temperature) are worth.
struct Reliability {
  double temperature = 1;
  // The expected calibration error (Guo et al. 2017): over the bins, the mean of |accuracy - confidence|, each bin
  // weighed by its texts. From 0 to 1; 0 of no texts.
  double error = 0;
  double log_loss = 0;               // the mean of -ln(probability of the right label)
  std::vector<ReliabilityBin> bins;  // kReliabilityBins
};

// Requires temperature > 0. Of equal logits the first is on top. Linear in N.
Reliability MeasureReliability(const LabelledLogits& logits, double temperature);

// The temperature from kLowestFittedTemperature to kHighestFittedTemperature with the smallest log loss, to one part in
// a million: there is one, since the log loss is convex in 1 / temperature. It is exactly one of the two ends where the
// log loss falls towards that end: the lower where every text is right, the upper where guessing would be better. 1 of
// no texts, and of texts whose logits are all the same, which no temperature changes. Takes some 25 passes over the
// logits.
double FitTemperature(const LabelledLogits& logits);

}  // namespace ks
