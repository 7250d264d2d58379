// Whether runs on all cores pay at the moment. Pure, as the scheduler is.
#pragma once

#include "base/clock.h"

namespace ks {

// The cores of a wide run wait for each other many times within a millisecond. Where something else keeps the machine
// busy, each of these waits may last as long as that other's time slice, and the run ten times as long as on one core. A
// run that stood still more than it worked is such a case: none follows for a while, and then one shows whether it is
// over.
//
// Not safe from several threads: its owner locks.
class WidePause {
 public:
  static constexpr Duration kShortest = std::chrono::milliseconds(100);
  static constexpr Duration kLongest = std::chrono::seconds(10);

  // A wide run ended at `now`. It took `wall`, of which its caller's thread had a processor for `cpu`.
  void AddRun(Duration wall, Duration cpu, TimePoint now);

  bool IsOver(TimePoint now) const { return now >= until_; }

 private:
  Duration next_ = kShortest;  // twice the last, half of it after a run that was not held up
  TimePoint until_ = TimePoint::min();
};

}  // namespace ks
