// How long one run of a backend takes, by its shape.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/backend.h"
#include "base/clock.h"
#include "measure/bench_stats.h"

namespace ks {

// Told what is about to be timed, e.g. "latency 8 x 128": for people who wait.
using BenchProgress = std::function<void(std::string_view what)>;

// How long to measure each row.
struct BenchBudget {
  Duration warm_up = std::chrono::milliseconds(300);
  Duration time = std::chrono::seconds(2);
  int min_runs = 20;  // even when they take longer than `time`
};

// `sequences` of `tokens` each: in one run, or where they are more than the backend takes, in as few as it allows.
struct RunShape {
  int sequences = 1;
  int tokens = 0;
};

// What is timed where nobody asks for anything else: one sequence of 16, 64, 128, .. tokens up to the model's window,
// and a batch of eight.
std::vector<RunShape> UsualShapes(const BackendFacts& facts);

// Reads "1x16,8x128": sequences x tokens, both from 1 on, at most 4096 sequences of 65536 tokens.
// Errors: kInvalidArgument naming the shape that is not one.
absl::StatusOr<std::vector<RunShape>> ParseRunShapes(std::string_view text);

struct LatencyRow {
  RunShape shape;
  LatencySummary run;
};

// Times Backend::Run alone (all runs of a shape together), on the calling thread, for each shape in turn, after
// warming it up. The ids are the numbers of std::mt19937(1) modulo `vocab_size`. `clock` is read around each run.
// Errors: those of Run; kInvalidArgument for a shape with longer sequences than the backend takes, before anything runs.
absl::StatusOr<std::vector<LatencyRow>> MeasureLatency(Backend& backend, int vocab_size,
                                                       std::span<const RunShape> shapes, const BenchBudget& budget,
                                                       const Clock& clock, const BenchProgress& progress);

}  // namespace ks
