// Tested by wide_gate_test.cc.
#include "engine/wide_gate.h"

#include <algorithm>

namespace ks {
namespace {

// Of standing still that any run may have: waking the other cores, an interrupt.
constexpr Duration kTolerated = std::chrono::microseconds(200);
// Of the newest text in the share of those that had company.
constexpr double kWeight = 1.0 / 32;

}  // namespace

void WideGate::AddRun(Duration wall, Duration cpu, TimePoint now) {
  const bool held_up = wall - cpu > cpu + kTolerated;
  if (held_up && was_held_up_) {
    paused_until_ = AddSaturated(now, next_pause_);
    next_pause_ = std::min(2 * next_pause_, kLongestPause);
  } else if (!held_up) {
    next_pause_ = std::max(next_pause_ / 2, kShortestPause);
  }
  was_held_up_ = held_up;
}

void WideGate::AddLoneText(bool had_company) { company_ += kWeight * ((had_company ? 1.0 : 0.0) - company_); }

}  // namespace ks
