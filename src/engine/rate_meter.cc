#include "engine/rate_meter.h"

#include <algorithm>

namespace ks {
namespace {

// The newest full run's weight: some ten runs, a fraction of a second, decide.
constexpr double kNewest = 0.2;
constexpr double kLongestSeconds = 3600;

}  // namespace

void RateMeter::AddRun(int64_t tokens, Duration duration, bool wide) {
  if (duration <= Duration::zero() || tokens <= 0) return;
  const double measured = static_cast<double>(tokens) / Seconds(duration) * (wide ? 1 : workers_);
  const bool full = tokens * 2 >= run_tokens_ && !wide;
  const bool first_full = full && !has_full_run_;
  has_full_run_ = has_full_run_ || full;
  if (tokens_per_second_ == 0 || first_full) {
    tokens_per_second_ = measured;
  } else if (full || measured > tokens_per_second_) {
    tokens_per_second_ += kNewest * (measured - tokens_per_second_);
  }
}

Duration RateMeter::TimeFor(int64_t tokens) const {
  if (!has_full_run_) return Duration::zero();
  const double seconds = std::min(kLongestSeconds, static_cast<double>(tokens) / tokens_per_second_);
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

}  // namespace ks
