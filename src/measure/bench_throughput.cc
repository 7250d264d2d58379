// Callers are threads that block, as clients do; each keeps its own times, so that nothing is shared while it is timed.
// Tested by bench_throughput_test.cc.
#include "measure/bench_throughput.h"

#include <memory>

#include "base/status_macros.h"
#include "base/strings.h"
#include "base/thread.h"

namespace ks {
namespace {

struct Caller {
  std::vector<Duration> times;
  int64_t tokens = 0;
  absl::Status status;
};

// Asks until `end`. What is answered from `start` to `end` counts, whenever it was asked for: otherwise a slow engine would
// lose what is on its way.
void AskUntil(Engine& engine, std::span<const std::string> texts, size_t first, TimePoint start, TimePoint end,
              const Clock& clock, Caller& caller) {
  size_t next = first;
  for (TimePoint asked = clock.Now(); asked < end;) {
    const TextInput input = {.text = texts[next++ % texts.size()]};
    const absl::StatusOr<ClassifyResult> result = engine.Classify({&input, 1}, {.top_k = 1});
    if (!result.ok()) {
      caller.status = result.status();
      return;
    }
    const TimePoint answered = clock.Now();
    if (answered >= start && answered <= end) {
      caller.times.push_back(answered - asked);
      caller.tokens += result->results[0].tokens;
    }
    asked = answered;
  }
}

}  // namespace

absl::StatusOr<std::vector<ThroughputRow>> MeasureThroughput(Engine& engine, std::span<const std::string> texts,
                                                             std::span<const int> callers, const BenchBudget& budget,
                                                             const Clock& clock, const BenchProgress& progress) {
  std::vector<ThroughputRow> rows;
  for (const int count : callers) {
    progress(Cat("throughput ", count, count == 1 ? " caller" : " callers"));
    std::vector<Caller> asked(static_cast<size_t>(count));
    {
      const TimePoint start = clock.Now() + budget.warm_up;
      const TimePoint end = start + budget.time;
      std::vector<std::unique_ptr<Thread>> threads;
      for (size_t i = 0; i < asked.size(); ++i) {
        const size_t first = i * texts.size() / asked.size();
        threads.push_back(std::make_unique<Thread>(
            Cat("caller-", i), [&, i, first] { AskUntil(engine, texts, first, start, end, clock, asked[i]); }));
      }
    }  // joined
    std::vector<Duration> times;
    int64_t tokens = 0;
    for (Caller& caller : asked) {
      KS_RETURN_IF_ERROR(caller.status);
      times.insert(times.end(), caller.times.begin(), caller.times.end());
      tokens += caller.tokens;
    }
    const double seconds = Seconds(budget.time);
    rows.push_back({.callers = count,
                    .texts_per_second = static_cast<double>(times.size()) / seconds,
                    .tokens_per_second = static_cast<double>(tokens) / seconds,
                    .answer = SummarizeTimes(std::move(times))});
  }
  return rows;
}

}  // namespace ks
