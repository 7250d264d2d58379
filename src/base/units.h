// Durations and sizes as people write them in options.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace ks {

// A whole number and a unit: "250ms", "5s", "2m", "1h"; a zero needs none. Nothing for anything else, a negative number
// and one that overflows included.
std::optional<Duration> ParseDuration(std::string_view text);

// A whole number of bytes: "32768", "32KiB", "8MiB", "1GiB". Nothing for anything else.
std::optional<int64_t> ParseBytes(std::string_view text);

// The shortest text that the parsers above read back to the same value: "5s", "1500ms"; "8MiB", "1000". Durations are
// cut to milliseconds.
std::string FormatDuration(Duration duration);
std::string FormatBytes(int64_t bytes);

}  // namespace ks
