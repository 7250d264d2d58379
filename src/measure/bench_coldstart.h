// The time from exec to a server's first answer, step by step, beside the least that ONNX Runtime takes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/step_times.h"
#include "measure/bench_latency.h"
#include "measure/bench_process.h"
#include "measure/bench_stats.h"

namespace ks {

// What a start is to take: a median and a 95th percentile, or a multiple of the floor's median.
inline constexpr Duration kColdStartMedian = std::chrono::milliseconds(30);
inline constexpr Duration kColdStartP95 = std::chrono::milliseconds(40);
inline constexpr double kColdStartFloors = 1.4;

// A server's line "start" in its log: what its main thread did, from main to ready.
struct StartLine {
  TimePoint began;  // main, on the machine's monotonic clock
  std::vector<StepTimes::Step> steps;
};

// Finds the line in `log` (src/cli/serve.cc writes it). Nothing where there is none. Error: kDataLoss for a line that is
// not what serve writes.
absl::StatusOr<std::optional<StartLine>> FindStartLine(std::string_view log);

struct ColdStartReport {
  LatencySummary first_answer;  // from before the process is made to the last byte of its first answer
  // Where the time of the median start went; they add up to first_answer.p50. "exec" is from before the process is made
  // to its main, "answer" from ready to the client's last byte. None where the server does not log its start.
  std::vector<StepTimes::Step> steps;
  // A program that creates ONNX Runtime's environment and a session of one node, and nothing else: from before it is
  // made to its telling so. Of as many starts, in turn with the server's.
  std::optional<LatencySummary> floor;

  double floors() const;  // the server's median in multiples of the floor's; 0 where there is none
  bool meets_times() const { return first_answer.p50 <= kColdStartMedian && first_answer.p95 <= kColdStartP95; }
  bool meets_floor() const { return floor.has_value() && floors() <= kColdStartFloors; }
};

// Starts the server `runs` times, after once without counting, and asks it for `text`, each time after a start of
// `floor_program`, which writes a byte to its standard output once it is done; empty: there is none. The files are in the
// page cache. Errors: as ServerProcess::Start and FindStartLine; kInternal where the floor's program fails.
absl::StatusOr<ColdStartReport> MeasureColdStart(const ServerCommand& command, const std::string& floor_program,
                                                 const std::string& text, int runs, const BenchProgress& progress);

}  // namespace ks
