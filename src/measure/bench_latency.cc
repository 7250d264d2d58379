// Tested by bench_latency_test.cc.
#include "measure/bench_latency.h"

#include <algorithm>
#include <charconv>
#include <random>

#include "base/status.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace ks {
namespace {

// The arrays behind a PackedBatch of `sequences` of one length.
struct RandomBatch {
  RandomBatch(int sequences, int tokens, int vocab_size) {
    std::mt19937 random(1);  // its numbers are the same everywhere, which those of a distribution are not
    for (int i = 0; i < sequences * tokens; ++i) {
      ids.push_back(static_cast<int32_t>(random() % static_cast<uint32_t>(vocab_size)));
    }
    for (int i = 1; i <= sequences; ++i) offsets.push_back(i * tokens);
  }
  PackedBatch view() const { return {.input_ids = ids, .offsets = offsets, .token_type_ids = {}}; }

  std::vector<int32_t> ids;
  std::vector<int32_t> offsets = {0};
};

// The runs that one shape takes: as few as the backend's limit on tokens allows.
std::vector<RandomBatch> Batches(const RunShape& shape, int max_tokens, int vocab_size) {
  const int in_a_run = std::max(1, max_tokens / shape.tokens);
  std::vector<RandomBatch> batches;
  for (int left = shape.sequences; left > 0; left -= in_a_run) {
    batches.emplace_back(std::min(left, in_a_run), shape.tokens, vocab_size);
  }
  return batches;
}

// Runs until both the time and the number of runs are reached.
absl::StatusOr<std::vector<Duration>> TimeRuns(Backend& backend, std::span<const RandomBatch> batches, Duration time,
                                               int min_runs, const Clock& clock) {
  std::vector<Duration> times;
  const TimePoint end = clock.Now() + time;
  for (TimePoint before = clock.Now(); before < end || static_cast<int>(times.size()) < min_runs;) {
    for (const RandomBatch& batch : batches) KS_RETURN_IF_ERROR(backend.Run(batch.view()).status());
    const TimePoint after = clock.Now();
    times.push_back(after - before);
    before = after;
  }
  return times;
}

}  // namespace

std::vector<RunShape> UsualShapes(const BackendFacts& facts) {
  std::vector<RunShape> shapes;
  for (int tokens = 16; tokens < facts.max_tokens_per_sequence; tokens = tokens < 64 ? 64 : 2 * tokens) {
    shapes.push_back({1, tokens});
  }
  shapes.push_back({1, facts.max_tokens_per_sequence});
  shapes.push_back({8, std::min(128, facts.max_tokens_per_sequence)});
  return shapes;
}

absl::StatusOr<std::vector<RunShape>> ParseRunShapes(std::string_view text) {
  constexpr int kMaxSequences = 4096;
  constexpr int kMaxTokens = 65536;
  // Reads digits up to `end`; 0 for anything that is not a number from 1 to `max`.
  const auto number = [](std::string_view digits, int max) {
    int value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size() && value >= 1 && value <= max ? value : 0;
  };
  std::vector<RunShape> shapes;
  for (std::string_view rest = text;;) {
    const size_t comma = rest.find(',');
    const std::string_view one = rest.substr(0, comma);
    const size_t x = one.find('x');
    RunShape shape;
    if (x != std::string_view::npos) {
      shape = {number(one.substr(0, x), kMaxSequences), number(one.substr(x + 1), kMaxTokens)};
    }
    if (shape.sequences == 0 || shape.tokens == 0) {
      return InvalidArgument("\"", one, "\": expected sequences x tokens, such as 8x128");
    }
    shapes.push_back(shape);
    if (comma == std::string_view::npos) return shapes;
    rest.remove_prefix(comma + 1);
  }
}

absl::StatusOr<std::vector<LatencyRow>> MeasureLatency(Backend& backend, int vocab_size,
                                                       std::span<const RunShape> shapes, const BenchBudget& budget,
                                                       const Clock& clock, const BenchProgress& progress) {
  const int longest = backend.facts().max_tokens_per_sequence;
  for (const RunShape& shape : shapes) {
    if (shape.tokens > longest) {
      return InvalidArgument(shape.sequences, "x", shape.tokens, ": expected at most ", longest, " tokens a sequence");
    }
  }
  std::vector<LatencyRow> rows;
  for (const RunShape& shape : shapes) {
    progress(Cat("latency ", shape.sequences, " x ", shape.tokens));
    const std::vector<RandomBatch> batches = Batches(shape, backend.facts().max_tokens, vocab_size);
    KS_RETURN_IF_ERROR(TimeRuns(backend, batches, budget.warm_up, 1, clock).status());
    KS_ASSIGN_OR_RETURN(std::vector<Duration> times, TimeRuns(backend, batches, budget.time, budget.min_runs, clock));
    rows.push_back({shape, SummarizeTimes(std::move(times))});
  }
  return rows;
}

}  // namespace ks
