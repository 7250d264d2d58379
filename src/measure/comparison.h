// What two sides said of the same texts, and how far apart they are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/batch.h"
#include "measure/data_set.h"
#include "measure/reliability.h"
#include "measure/run_texts.h"
#include "measure/statistics.h"
#include "model/classifier_spec.h"

namespace ks {

// One value for each side.
template <typename T>
struct Sides {
  T reference{};
  T candidate{};
};

// What a comparison is made of; only read during the call.
struct ComparisonInput {
  const DataSet* data = nullptr;          // N examples
  const TokenizedTexts* texts = nullptr;  // of the same examples
  Sides<const Logits*> logits;            // [N, C]
  const ClassifierSpec* spec = nullptr;
  float temperature = 1;  // the same on both sides
  // The labels that count: a text's label is the highest of these. Indices in ascending order; empty: all.
  std::vector<int> classes;
};

// A text on which the sides differ much.
struct WorstText {
  int example = 0;
  double difference = 0;             // the largest over its labels
  Sides<std::vector<float>> scores;  // [C]
  Sides<int> label;
};

// Where labels are given: who was right.
struct AccuracyComparison {
  Sides<ConfusionMatrix> confusion;  // rows: the labels given; over Comparison::classes
  int64_t lost = 0;                  // the reference was right, the candidate was not
  int64_t gained = 0;                // the other way round

  // The reference's accuracy less the candidate's. One division of counts: a loss of 20 in 1000 is 0.02 and no more.
  double Loss() const { return static_cast<double>(lost - gained) / static_cast<double>(confusion.candidate.total()); }
};

// What a side's probabilities are worth: at the temperature in use, and at the one that FitTemperature gives.
struct SideReliability {
  Reliability served;
  Reliability fitted;
};

struct FileComparison {
  int file = 0;
  int64_t texts = 0;
  int64_t agreeing = 0;
  std::optional<AccuracyComparison> accuracy = {};  // of a labelled file
  double p_value = 1;                               // of McNemar's test, before and after Holm's correction over the
  double p_adjusted = 1;                            // labelled files
};

// Texts of so many tokens, as the model sees them.
struct LengthBucket {
  int from = 0;
  int to = 0;  // included
  int64_t texts = 0;
  int64_t agreeing = 0;
  DifferenceSummary probabilities;
};

// Texts whose largest difference is in [from, to).
struct HistogramBin {
  double from = 0;
  double to = 0;
  int64_t texts = 0;
};

struct Comparison {
  int64_t texts = 0;
  int64_t agreeing = 0;                        // texts that both sides give the same label
  DifferenceSummary probabilities;             // |difference| of each text's score for each label
  DifferenceSummary logits;                    // the same of the logits
  std::vector<int> classes;                    // the labels that count
  ConfusionMatrix sides;                       // rows: the reference's labels, columns: the candidate's
  std::optional<AccuracyComparison> accuracy;  // over all labelled files
  // Over all labelled files, where the scores are a softmax. Probabilities are among `classes` alone: of fewer than all
  // labels, each divided by their sum.
  std::optional<Sides<SideReliability>> reliability;
  std::vector<FileComparison> files;    // every file of which an example was used
  std::vector<LengthBucket> lengths;    // those with texts, ascending
  std::vector<HistogramBin> histogram;  // of the texts' largest differences, half a decade each, ascending
  std::vector<WorstText> worst;         // at most kWorstTexts, the worst first

  double Agreement() const { return texts == 0 ? 0 : static_cast<double>(agreeing) / static_cast<double>(texts); }
};

inline constexpr int kWorstTexts = 20;

// Compares. Where a model gives several labels at once (sigmoid), two sides agree when they give the same ones (0.5 or
// more), and a text is right when its label has the highest score. Linear in the texts but for sorting.
Comparison Compare(const ComparisonInput& input);

}  // namespace ks
