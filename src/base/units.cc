// Tested by units_test.cc.
#include "base/units.h"

#include <array>
#include <charconv>
#include <span>

#include "base/strings.h"

namespace ks {
namespace {

struct Unit {
  std::string_view suffix;
  int64_t factor;
};
// Largest first, so that formatting finds the shortest text.
constexpr std::array<Unit, 4> kMilliseconds = {{{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}}};
constexpr std::array<Unit, 4> kBytes = {{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}};

// The number times its unit's factor; nothing if it does not fit.
std::optional<int64_t> ParseWithUnit(std::string_view text, std::span<const Unit> units) {
  int64_t number = 0;
  const char* const text_end = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), text_end, number);
  if (error != std::errc() || number < 0) return std::nullopt;
  const std::string_view suffix(end, static_cast<size_t>(text_end - end));
  if (number == 0 && suffix.empty()) return 0;
  for (const Unit& unit : units) {
    if (suffix != unit.suffix) continue;
    int64_t product = 0;
    if (__builtin_mul_overflow(number, unit.factor, &product)) return std::nullopt;
    return product;
  }
  return std::nullopt;
}

std::string FormatWithUnit(int64_t value, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0) return Cat(value / unit.factor, unit.suffix);
  }
  return Cat(value, units.back().suffix);
}

}  // namespace

std::optional<Duration> ParseDuration(std::string_view text) {
  const auto milliseconds = ParseWithUnit(text, kMilliseconds);
  constexpr int64_t kLongest = std::chrono::duration_cast<std::chrono::milliseconds>(Duration::max()).count();
  if (!milliseconds || *milliseconds > kLongest) return std::nullopt;
  return std::chrono::milliseconds(*milliseconds);
}

std::optional<int64_t> ParseBytes(std::string_view text) { return ParseWithUnit(text, kBytes); }

std::string FormatDuration(Duration duration) {
  return FormatWithUnit(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count(), kMilliseconds);
}

std::string FormatBytes(int64_t bytes) { return FormatWithUnit(bytes, kBytes); }

}  // namespace ks
