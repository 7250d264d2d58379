// The bounds that a candidate must keep, and the verdict.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "measure/comparison.h"

namespace ks {

// Bounds; what is not set is not asked. Shares are from 0 to 1.
struct Gates {
  std::optional<double> max_diff = {};           // the largest |difference| of a probability
  std::optional<double> mean_diff = {};          // the mean one
  std::optional<double> min_agreement = {};      // the share of texts with the same label
  std::optional<double> min_accuracy = {};       // the candidate's, over all labelled files
  std::optional<double> max_accuracy_loss = {};  // reference less candidate, on each labelled file
  // The level of McNemar's test, one-sided, Holm-corrected over the labelled files: no file's loss may be significant.
  std::optional<double> significance = {};
};

// The bounds of a candidate of `precision` where nobody says otherwise.
//   int8  agreement >= 99.5 %, mean <= 0.005, no significant loss of accuracy
//   fp32  max <= 1e-4, mean <= 1e-5, no significant loss of accuracy
Gates DefaultGates(std::string_view precision);

struct GateResult {
  std::string name;  // "max-diff": as in the report
  std::string flag;  // "--max-diff"; empty where none sets the bound
  double bound = 0;
  double found = 0;
  bool passed = false;
  std::string sentence = {};  // "the largest |difference| of a probability is 0.31, above 0.0001"
};

// One result for each bound that is set, in the order of Gates; of those on each file the worst file's. A bound on
// accuracy fails where no text is labelled: nothing shows that it is kept. Not so `significance`, which is a default.
std::vector<GateResult> Judge(const Comparison& comparison, const DataSet& data, const Gates& gates);

bool AllPassed(std::span<const GateResult> results);

}  // namespace ks
