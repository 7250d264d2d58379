// Tested by statistics_test.cc.
#include "measure/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ks {

DifferenceSummary Summarize(std::vector<float> differences) {
  if (differences.empty()) return {};
  const size_t size = differences.size();
  const double sum = std::accumulate(differences.begin(), differences.end(), 0.0);
  const size_t rank = (99 * size + 99) / 100;  // 99 % of the size, rounded up; from 1
  const auto p99 = differences.begin() + static_cast<ptrdiff_t>(rank - 1);
  std::nth_element(differences.begin(), p99, differences.end());
  return {.max = *std::max_element(p99, differences.end()), .mean = sum / static_cast<double>(size), .p99 = *p99};
}

int64_t ConfusionMatrix::total() const { return std::accumulate(counts_.begin(), counts_.end(), int64_t{0}); }

double ConfusionMatrix::Accuracy() const {
  int64_t right = 0;
  for (int c = 0; c < classes_; ++c) right += count(c, c);
  const int64_t all = total();
  return all == 0 ? 0 : static_cast<double>(right) / static_cast<double>(all);
}

double ConfusionMatrix::MacroRecall() const {
  double sum = 0;
  int occurring = 0;
  for (int c = 0; c < classes_; ++c) {
    const auto row = counts_.begin() + static_cast<ptrdiff_t>(Index(c, 0));
    const int64_t expected = std::accumulate(row, row + classes_, int64_t{0});
    if (expected == 0) continue;
    sum += static_cast<double>(count(c, c)) / static_cast<double>(expected);
    ++occurring;
  }
  return occurring == 0 ? 0 : sum / occurring;
}

double McNemarP(int64_t lost, int64_t gained) {
  const int64_t n = lost + gained;
  // The upper tail of a binomial of even odds, from its far end; in logarithms, since 2^-n underflows.
  double log_term = -static_cast<double>(n) * std::log(2.0);
  double tail = 0;
  for (int64_t k = n; k >= lost; --k) {
    tail += std::exp(log_term);
    if (k > 0) log_term += std::log(static_cast<double>(k)) - std::log(static_cast<double>(n - k + 1));
  }
  return std::min(tail, 1.0);
}

std::vector<double> HolmAdjust(std::span<const double> p_values) {
  std::vector<size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size());
  double largest = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    largest = std::max(largest, std::min(1.0, static_cast<double>(order.size() - i) * p_values[order[i]]));
    adjusted[order[i]] = largest;
  }
  return adjusted;
}

}  // namespace ks
