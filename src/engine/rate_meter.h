// How fast a group of workers gets through its queue.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace ks {

// Measures tokens a second from the runs themselves and says how long a queue will take. Times come in from outside.
// Not safe from several threads: its owner locks.
//
// The measure is a moving average over runs, one run's speed times the number of workers. A run that is not full pays
// the fixed cost of a run for few tokens and so understates the speed of a queue; it may raise the estimate but never
// lowers it, otherwise a quiet hour of single texts would make the first burst look hopeless. Nor does a wide run, which
// trades work for time. The first full run replaces what the others made of it.
class RateMeter {
 public:
  // A run counts as full from half of `run_tokens`.
  RateMeter(int run_tokens, int workers) : run_tokens_(run_tokens), workers_(workers) {}

  // A run of one worker, or a `wide` one on the cores of all. One that took no measurable time is ignored.
  void AddRun(int64_t tokens, Duration duration, bool wide = false);

  // Of all workers together; 0 before the first run.
  double tokens_per_second() const { return tokens_per_second_; }

  // How long all workers need for so many tokens, at most an hour; 0 before the first full run: what the others tell
  // is too slow to refuse anybody for.
  Duration TimeFor(int64_t tokens) const;

 private:
  const int run_tokens_;
  const int workers_;
  double tokens_per_second_ = 0;
  bool has_full_run_ = false;
};

}  // namespace ks
