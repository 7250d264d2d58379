// How many texts an engine answers in a second, by how many callers wait for answers.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/engine.h"
#include "measure/bench_latency.h"

namespace ks {

struct ThroughputRow {
  int callers = 0;
  double texts_per_second = 0;
  double tokens_per_second = 0;
  LatencySummary answer;  // of one text, from Submit to its answer, queue included
};

// Lets `callers` threads ask `engine` for one text after the other, each walking through `texts` from its own place,
// for `budget.time` after `budget.warm_up`; for each number of callers in turn. `texts` must not be empty.
// Errors: the first that the engine gave any caller.
absl::StatusOr<std::vector<ThroughputRow>> MeasureThroughput(Engine& engine, std::span<const std::string> texts,
                                                             std::span<const int> callers, const BenchBudget& budget,
                                                             const Clock& clock, const BenchProgress& progress);

}  // namespace ks
