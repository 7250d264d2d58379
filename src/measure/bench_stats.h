// What a list of measured times comes down to.
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"

namespace ks {

struct LatencySummary {
  int64_t count = 0;
  Duration min{0}, p50{0}, p90{0}, p95{0}, p99{0}, max{0};
};

// Exact order statistics: p99 is the smallest time that at least 99 % of `times` do not exceed. Of no times: all 0.
LatencySummary SummarizeTimes(std::vector<Duration> times);

}  // namespace ks
