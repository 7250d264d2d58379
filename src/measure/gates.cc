// Tested by gates_test.cc.
#include "measure/gates.h"

#include <algorithm>
#include <cstdio>

#include "base/strings.h"

namespace ks {
namespace {

constexpr double kSignificanceLevel = 0.05;
constexpr std::string_view kNoLabels = "no text has a label (--label-column names the column)";

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

// Enough digits to tell one text in a million from none.
std::string Percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g %%", share * 100);
  return text;
}

GateResult AtMost(std::string_view name, std::string_view what, double bound, double found) {
  const bool passed = found <= bound;  // false for a NaN
  return {.name = std::string(name),
          .flag = Cat("--", name),
          .bound = bound,
          .found = found,
          .passed = passed,
          .sentence = Cat(what, " is ", Number(found), passed ? ", within " : ", above ", Number(bound))};
}

GateResult AtLeast(std::string_view name, std::string_view what, double bound, double found) {
  const bool passed = found >= bound;
  return {.name = std::string(name),
          .flag = Cat("--", name),
          .bound = bound,
          .found = found,
          .passed = passed,
          .sentence = Cat(what, " is ", Percent(found), passed ? ", at least " : ", below ", Percent(bound))};
}

GateResult Unlabelled(std::string_view name, double bound) {
  return {.name = std::string(name), .flag = Cat("--", name), .bound = bound, .sentence = std::string(kNoLabels)};
}

// The labelled file with the largest `value`; nullptr where no file is labelled.
template <typename Value>
const FileComparison* WorstFile(const Comparison& comparison, const Value& value) {
  const FileComparison* worst = nullptr;
  for (const FileComparison& file : comparison.files) {
    if (file.accuracy && (worst == nullptr || value(file) > value(*worst))) worst = &file;
  }
  return worst;
}

GateResult AccuracyLoss(const Comparison& comparison, const DataSet& data, double bound) {
  const auto loss = [](const FileComparison& file) { return file.accuracy->Loss(); };
  const FileComparison* worst = WorstFile(comparison, loss);
  if (worst == nullptr) return Unlabelled("max-accuracy-loss", bound);
  const bool passed = loss(*worst) <= bound;
  return {.name = "max-accuracy-loss",
          .flag = "--max-accuracy-loss",
          .bound = bound,
          .found = loss(*worst),
          .passed = passed,
          .sentence = Cat("the loss of accuracy on ", data.files[worst->file].name, " is ", Percent(loss(*worst)),
                          passed ? ", within " : ", above ", Percent(bound))};
}

GateResult Significance(const Comparison& comparison, const DataSet& data, double level) {
  // The most significant one has the smallest p.
  const FileComparison* worst = WorstFile(comparison, [](const FileComparison& file) { return -file.p_adjusted; });
  GateResult result = {.name = "accuracy-significance",
                       .flag = "",
                       .bound = level,
                       .found = 1,
                       .passed = true,
                       .sentence = "no text has a label, so no loss of accuracy was looked for"};
  if (worst == nullptr) return result;
  result.found = worst->p_adjusted;
  result.passed = worst->p_adjusted > level;
  result.sentence =
      Cat("the loss of accuracy on ", data.files[worst->file].name, " (", worst->accuracy->lost, " texts lost, ",
          worst->accuracy->gained, " gained) is ", result.passed ? "not " : "",
          "significant: p = ", Number(worst->p_adjusted), result.passed ? ", above " : ", not above ", Number(level));
  return result;
}

}  // namespace

Gates DefaultGates(std::string_view precision) {
  if (precision == "int8") return {.mean_diff = 0.005, .min_agreement = 0.995, .significance = kSignificanceLevel};
  return {.max_diff = 1e-4, .mean_diff = 1e-5, .significance = kSignificanceLevel};
}

std::vector<GateResult> Judge(const Comparison& comparison, const DataSet& data, const Gates& gates) {
  std::vector<GateResult> results;
  if (gates.max_diff) {
    results.push_back(
        AtMost("max-diff", "the largest |difference| of a probability", *gates.max_diff, comparison.probabilities.max));
  }
  if (gates.mean_diff) {
    results.push_back(AtMost("mean-diff", "the mean |difference| of the probabilities", *gates.mean_diff,
                             comparison.probabilities.mean));
  }
  if (gates.min_agreement) {
    results.push_back(AtLeast("min-agreement", "the share of texts with the same label", *gates.min_agreement,
                              comparison.Agreement()));
  }
  if (gates.min_accuracy) {
    results.push_back(comparison.accuracy ? AtLeast("min-accuracy", "the candidate's accuracy", *gates.min_accuracy,
                                                    comparison.accuracy->confusion.candidate.Accuracy())
                                          : Unlabelled("min-accuracy", *gates.min_accuracy));
  }
  if (gates.max_accuracy_loss) results.push_back(AccuracyLoss(comparison, data, *gates.max_accuracy_loss));
  if (gates.significance) results.push_back(Significance(comparison, data, *gates.significance));
  return results;
}

bool AllPassed(std::span<const GateResult> results) { return std::ranges::all_of(results, &GateResult::passed); }

}  // namespace ks
