// Tested by bench_coldstart_test.cc.
#include "measure/bench_coldstart.h"

#include <algorithm>
#include <numeric>
#include <thread>
#include <utility>

#include "base/json.h"
#include "base/status_macros.h"
#include "measure/bench_server.h"

namespace ks {
namespace {

constexpr std::string_view kUnit = "_ms";
constexpr std::string_view kOtherThread = "_thread_ms";  // beside the steps of the main thread
// The server logs from a thread of its own, which may be a little behind its first answer.
constexpr Duration kLogDelay = std::chrono::seconds(1);
constexpr Duration kBetweenLooks = std::chrono::milliseconds(1);

Duration FromMilliseconds(double milliseconds) {
  return std::chrono::round<Duration>(std::chrono::duration<double, std::milli>(milliseconds));
}

absl::StatusOr<StartLine> ReadStartLine(const JsonObject& line) {
  StartLine start;
  for (const JsonObject::Member& member : line.members()) {
    if (!member.key.ends_with(kUnit) || member.key.ends_with(kOtherThread)) continue;
    KS_ASSIGN_OR_RETURN(const double milliseconds, member.value.AsDouble());
    if (member.key == "began_monotonic_ms") {
      start.began = TimePoint(FromMilliseconds(milliseconds));
    } else if (member.key != "ready_ms") {
      start.steps.push_back({.name = std::string(member.key.substr(0, member.key.size() - kUnit.size())),
                             .duration = FromMilliseconds(milliseconds)});
    }
  }
  if (start.began == TimePoint() || start.steps.empty()) {
    return DataLoss("the server's log: start: expected began_monotonic_ms and steps, found neither or one of them");
  }
  return start;
}

// One start of the server, taken apart.
struct Start {
  Duration total{0};
  std::vector<StepTimes::Step> steps;
};

absl::StatusOr<Start> TakeApart(const ServerProcess& server, bool wait) {
  Start start = {.total = server.first_answer(), .steps = {}};
  const TimePoint deadline = SystemClock().Now() + kLogDelay;
  std::optional<StartLine> line;
  for (;;) {
    KS_ASSIGN_OR_RETURN(line, FindStartLine(server.Log()));
    if (line.has_value() || !wait || SystemClock().Now() > deadline) break;
    std::this_thread::sleep_for(kBetweenLooks);
  }
  if (!line.has_value()) return start;
  start.steps.push_back({.name = "exec", .duration = line->began - server.started()});
  start.steps.insert(start.steps.end(), line->steps.begin(), line->steps.end());
  const Duration to_ready =
      std::accumulate(start.steps.begin(), start.steps.end(), Duration(0),
                      [](Duration sum, const StepTimes::Step& step) { return sum + step.duration; });
  start.steps.push_back({.name = "answer", .duration = start.total - to_ready});
  return start;
}

}  // namespace

absl::StatusOr<std::optional<StartLine>> FindStartLine(std::string_view log) {
  while (!log.empty()) {
    const size_t end = log.find('\n');
    if (end == std::string_view::npos) break;  // the last line is still being written
    const std::string_view line = log.substr(0, end);
    log.remove_prefix(end + 1);
    if (line.find(R"("message":"start")") == std::string_view::npos) continue;
    KS_ASSIGN_OR_RETURN(const JsonDocument document, JsonDocument::Parse(line, "the server's log", {}));
    KS_ASSIGN_OR_RETURN(const JsonObject object, document.root().AsObject());
    KS_ASSIGN_OR_RETURN(StartLine start, ReadStartLine(object));
    return start;
  }
  return std::nullopt;
}

double ColdStartReport::floors() const {
  if (!floor.has_value() || floor->p50 <= Duration(0)) return 0;
  return Seconds(first_answer.p50) / Seconds(floor->p50);
}

absl::StatusOr<ColdStartReport> MeasureColdStart(const ServerCommand& command, const std::string& floor_program,
                                                 const std::string& text, int runs, const BenchProgress& progress) {
  std::vector<Start> starts;
  std::vector<Duration> floors;
  bool logs_start = true;  // until the first start shows that it does not
  for (int run = 0; run <= runs; ++run) {
    progress(Cat("cold start ", run, " of ", runs));
    if (!floor_program.empty()) {
      KS_ASSIGN_OR_RETURN(const Duration floor, TimeToFirstByte(floor_program));
      if (run > 0) floors.push_back(floor);
    }
    KS_ASSIGN_OR_RETURN(const ServerProcess server, StartServer(command, text));
    KS_ASSIGN_OR_RETURN(Start start, TakeApart(server, logs_start));
    logs_start = !start.steps.empty();
    if (run > 0) starts.push_back(std::move(start));
  }
  std::ranges::sort(starts, {}, &Start::total);
  std::vector<Duration> totals;
  for (const Start& start : starts) totals.push_back(start.total);
  ColdStartReport report;
  report.first_answer = SummarizeTimes(std::move(totals));
  const auto median = std::ranges::find(starts, report.first_answer.p50, &Start::total);
  if (median != starts.end()) report.steps = median->steps;
  if (!floors.empty()) report.floor = SummarizeTimes(std::move(floors));
  return report;
}

}  // namespace ks
