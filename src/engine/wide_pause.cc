// Tested by wide_pause_test.cc.
#include "engine/wide_pause.h"

#include <algorithm>

namespace ks {
namespace {

// Of standing still that any run may have: waking the other cores, an interrupt.
constexpr Duration kTolerated = std::chrono::microseconds(200);

}  // namespace

void WidePause::AddRun(Duration wall, Duration cpu, TimePoint now) {
  if (wall - cpu > cpu + kTolerated) {
    until_ = AddSaturated(now, next_);
    next_ = std::min(2 * next_, kLongest);
  } else {
    next_ = std::max(next_ / 2, kShortest);
  }
}

}  // namespace ks
