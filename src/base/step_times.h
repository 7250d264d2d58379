// Where the time goes of something that happens step after step on one thread.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace ks {

// The steps have no gaps between them, so they add up to all of the time:
//
//   StepTimes steps(SystemClock().Now());
//   ..; steps.Done("config", SystemClock().Now());
//   ..; steps.Done("package", SystemClock().Now());
class StepTimes {
 public:
  struct Step {
    std::string name;
    Duration duration{0};
  };

  explicit StepTimes(TimePoint began) : began_(began), last_(began) {}

  // What passed since the last call, or since the beginning, was `name`; more of it where there was a step of that name.
  void Done(std::string_view name, TimePoint now) {
    const auto found = std::ranges::find(steps_, name, &Step::name);
    Step& step = found != steps_.end() ? *found : steps_.emplace_back();
    step.name = name;
    step.duration += now - last_;
    last_ = now;
  }

  TimePoint began() const { return began_; }
  TimePoint last() const { return last_; }  // of the calls, or the beginning
  const std::vector<Step>& steps() const { return steps_; }

 private:
  TimePoint began_;
  TimePoint last_;
  std::vector<Step> steps_;
};

}  // namespace ks
