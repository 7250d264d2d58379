// Tested by bench_stats_test.cc.
#include "measure/bench_stats.h"

#include <algorithm>

namespace ks {

LatencySummary SummarizeTimes(std::vector<Duration> times) {
  if (times.empty()) return {};
  std::ranges::sort(times);
  const auto rank = [&](size_t percent) {
    const size_t needed = (times.size() * percent + 99) / 100;  // rounded up, at least 1
    return times[needed - 1];
  };
  return {.count = static_cast<int64_t>(times.size()),
          .min = times.front(),
          .p50 = rank(50),
          .p90 = rank(90),
          .p95 = rank(95),
          .p99 = rank(99),
          .max = times.back()};
}

}  // namespace ks
