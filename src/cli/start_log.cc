// Tested by start_log_test.cc.
#include "cli/start_log.h"

#include <string>
#include <vector>

#include "base/strings.h"

namespace ks {

void LogStart(Log& log, const StepTimes& steps,
              std::initializer_list<std::pair<std::string_view, Duration>> other_threads) {
  std::vector<std::pair<std::string, Duration>> times = {{"began_monotonic_ms", steps.began().time_since_epoch()}};
  for (const StepTimes::Step& step : steps.steps()) times.emplace_back(Cat(step.name, "_ms"), step.duration);
  times.emplace_back("ready_ms", steps.last() - steps.began());
  for (const auto& [name, duration] : other_threads) times.emplace_back(Cat(name, "_thread_ms"), duration);
  std::vector<LogField> fields;
  for (const auto& [name, duration] : times) fields.emplace_back(name, Milliseconds(duration));
  log.Write(LogLevel::kInfo, "start", fields);
}

}  // namespace ks
