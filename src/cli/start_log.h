// The log line "start": where the time went from main to ready.
#pragma once

#include <initializer_list>
#include <string_view>
#include <utility>

#include "base/step_times.h"
#include "telemetry/log.h"

namespace ks {

// Writes the steps of the main thread as "<step>_ms" and their sum as "ready_ms"; began_monotonic_ms is when they began
// on the machine's monotonic clock, so that whoever started the process can place them (measure/bench_coldstart.h does).
// What other threads did meanwhile comes as "<name>_thread_ms" and is no part of the sum.
void LogStart(Log& log, const StepTimes& steps,
              std::initializer_list<std::pair<std::string_view, Duration>> other_threads);

}  // namespace ks
