// Time, injected: whatever decides by time takes a Clock&, so that tests move it by hand.
#pragma once

#include <atomic>
#include <chrono>

namespace ks {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

class Clock {
 public:
  virtual ~Clock() = default;
  // Monotonic; unrelated to the calendar. Safe from any thread.
  virtual TimePoint Now() const = 0;
};

// The machine's monotonic clock. The reference lives as long as the program.
const Clock& SystemClock();

// Stands still until moved. Safe from any thread.
class ManualClock final : public Clock {
 public:
  TimePoint Now() const override { return TimePoint(Duration(ticks_.load())); }
  void Advance(Duration by) { ticks_.fetch_add(by.count()); }

 private:
  std::atomic<Duration::rep> ticks_{1'000'000'000};
};

// time + duration, or TimePoint::max() where that would lie behind it. Requires duration >= 0.
inline TimePoint AddSaturated(TimePoint time, Duration duration) {
  return duration > TimePoint::max() - time ? TimePoint::max() : time + duration;
}

// Seconds as the metrics and timings want them.
inline double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }
inline double Milliseconds(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

}  // namespace ks
