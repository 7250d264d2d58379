// Calendar time for logs and error bodies. Whatever measures or decides uses base/clock.h.
#pragma once

#include <chrono>
#include <string>

namespace ks {

// RFC 3339 in UTC with milliseconds: "2026-01-31T12:00:00.000Z".
std::string FormatUtc(std::chrono::system_clock::time_point time);

}  // namespace ks
