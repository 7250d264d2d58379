// Whether runs on all cores pay at the moment. Pure, as the scheduler is.
#pragma once

#include "base/clock.h"

namespace ks {

// Two things speak against them, and each is measured from the runs themselves.
//
// Company: nothing else starts beside a wide run, so what comes meanwhile waits for its end and then has all cores free
// again only if nothing else came. Where that happens to more than half of the texts that come to an idle server, a
// core for each gets more of them through sooner.
//
// Neighbours: the cores of a wide run wait for each other many times within a millisecond. Where other processes keep
// the machine busy each of these waits may last as long as a time slice, and the run ten times as long as on one core.
// After two runs in a row that stood still more than they worked none follows for a while; then one shows whether it is
// over.
//
// Not safe from several threads: its owner locks.
class WideGate {
 public:
  static constexpr Duration kShortestPause = std::chrono::milliseconds(100);
  static constexpr Duration kLongestPause = std::chrono::seconds(10);

  // A wide run ended at `now`. It took `wall`, of which its caller's thread had a processor for `cpu`.
  void AddRun(Duration wall, Duration cpu, TimePoint now);
  // A text that had come to an idle server was answered, on however many cores; others came before that or not.
  void AddLoneText(bool had_company);

  bool IsOpen(TimePoint now) const { return now >= paused_until_ && company_ < kMostCompany; }

 private:
  static constexpr double kMostCompany = 0.5;

  double company_ = 0;  // the share of the last some thirty texts that had it
  bool was_held_up_ = false;
  Duration next_pause_ = kShortestPause;  // twice the last, half of it after a run that was not held up
  TimePoint paused_until_ = TimePoint::min();
};

}  // namespace ks
