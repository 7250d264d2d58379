// Which waiting texts run next: a pure function of the queue, the time and the limits. No threads, no clock, no state
// of its own, so that every rule is a row in a table of tests.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "base/clock.h"

namespace ks {

// Two lanes, each first come first served. A request is short if all of it fits into one run: that is every single
// text, and small batches. Short requests go first; bulk ones keep a guaranteed share, so that neither starves the
// other.
enum class Lane { kShort, kBulk };

inline Lane LaneOf(int64_t request_tokens, int run_tokens) {
  return request_tokens <= run_tokens ? Lane::kShort : Lane::kBulk;
}

// A deadline is passed from the moment it names.
inline bool Expired(TimePoint deadline, TimePoint now) { return deadline <= now; }

// A request as the policy sees it: what is left of it.
struct WaitingRequest {
  TimePoint deadline;
  std::span<const int> part_tokens;  // of the parts that have not run; a part is one sequence of the model
};

// The heads of both lanes, oldest first: at least as many requests as fill a run, or all. `bulk_credit_tokens` is that
// of the plan before, 0 at first.
struct QueueView {
  std::span<const WaitingRequest> short_lane;
  std::span<const WaitingRequest> bulk_lane;
  int bulk_credit_tokens = 0;
};

struct RunLimits {
  int run_tokens = 0;        // of one run; no part is longer
  bool pads = false;         // the backend's fact: a run costs sequences * longest instead of its tokens
  double bulk_share = 0.25;  // of the tokens run while both lanes wait
  int goal_tokens = std::numeric_limits<int>::max();  // a run comes as near to so many as it can
};

// The first `parts` of what is left of a request.
struct Take {
  Lane lane;
  size_t request;  // index into the lane's view
  int parts;
  bool operator==(const Take&) const = default;
};

struct RunPlan {
  std::vector<Take> takes;     // a request appears at most once
  int bulk_credit_tokens = 0;  // for the next plan
};

// Fills one run. Never waits for more to come: what is there goes.
//
// While both lanes wait, each plan credits the bulk lane bulk_share * run_tokens; its oldest parts that fit the credit
// go first, then short requests, then whatever bulk still fits, which uses up credit too. Credit ends with the wait of
// either lane. Within a lane the order is kept: a part that does not fit ends the lane's turn, and since it is then
// first in line, no text is passed over for ever.
//
// Expired requests are left out: to answer them is the queue's work. Empty only if nothing unexpired waits.
RunPlan PlanRun(const QueueView& queue, TimePoint now, const RunLimits& limits);

}  // namespace ks
