// A progress bar on stderr, for work that lasts.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace ks {

// The line shown: " 42% [########            ] 12345 rows, 950 texts/s". Without the share where `total_bytes` is 0.
std::string ProgressLine(int64_t bytes, int64_t total_bytes, int64_t rows, Duration elapsed);

// Draws on stderr if that is a terminal, from the second second on and then at most five times a second.
class ProgressBar {
 public:
  ProgressBar(bool enabled, const Clock& clock) : enabled_(enabled), clock_(clock), started_(clock.Now()) {}
  ~ProgressBar() { Clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // Whether stderr is a terminal.
  static bool StderrIsTerminal();

  void Update(int64_t bytes, int64_t total_bytes, int64_t rows);
  // Takes the bar off the terminal, so that a message can be printed; the next Update draws it again.
  void Clear();

  Duration elapsed() const { return clock_.Now() - started_; }

 private:
  const bool enabled_;
  const Clock& clock_;
  const TimePoint started_;
  TimePoint drawn_at_{};
  bool drawn_ = false;
};

}  // namespace ks
