// The statistics of a validation: of numbers alone, without models and texts.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ks {

// What is told of a set of differences, each >= 0. All 0 of an empty set.
struct DifferenceSummary {
  double max = 0;
  double mean = 0;
  double p99 = 0;  // the smallest value that at least 99 % of the set do not exceed
};
DifferenceSummary Summarize(std::vector<float> differences);

// [C, C] counts: row = what was expected, column = what was found.
class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(int classes = 0) : classes_(classes), counts_(static_cast<size_t>(classes) * classes) {}

  // Requires both in [0, classes).
  void Add(int expected, int found) { ++counts_[Index(expected, found)]; }

  int classes() const { return classes_; }
  int64_t count(int expected, int found) const { return counts_[Index(expected, found)]; }
  int64_t total() const;

  // The share of the diagonal; 0 of an empty matrix.
  double Accuracy() const;
  // The mean over the classes that occur of the share of each that was found; 0 of an empty matrix.
  double MacroRecall() const;

 private:
  size_t Index(int expected, int found) const { return static_cast<size_t>(expected) * classes_ + found; }

  int classes_;
  std::vector<int64_t> counts_;
};

// McNemar's test, one-sided and exact: how likely a candidate as good as its reference would lose at least `lost` of
// the `lost + gained` texts that only one of the two got right. 1 where there are none. Linear in their number.
double McNemarP(int64_t lost, int64_t gained);

// Holm's correction of p-values for having asked several times, in the order given, each at most 1: a value of at most
// 0.05 stays significant among all of them at 5 %.
std::vector<double> HolmAdjust(std::span<const double> p_values);

}  // namespace ks
