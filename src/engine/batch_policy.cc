#include "engine/batch_policy.h"

#include <algorithm>
#include <optional>

namespace ks {
namespace {

// What a run holds so far, in the unit that costs.
class RunBudget {
 public:
  explicit RunBudget(const RunLimits& limits) : limits_(limits) {}

  bool Fits(int part_tokens) const {
    const int64_t goal = limits_.goal_tokens;
    const bool nearer = tokens_ == 0 || 2 * tokens_ + part_tokens <= 2 * goal;
    return nearer && CostWith(part_tokens) <= limits_.run_tokens;
  }
  void Add(int part_tokens) {
    ++sequences_;
    tokens_ += part_tokens;
    longest_ = std::max(longest_, part_tokens);
  }

 private:
  int64_t CostWith(int part_tokens) const {
    return limits_.pads ? (sequences_ + 1) * std::max(longest_, part_tokens) : tokens_ + part_tokens;
  }

  const RunLimits& limits_;
  int64_t sequences_ = 0;
  int64_t tokens_ = 0;
  int longest_ = 0;
};

// Walks one lane in order; comes back to where it stopped.
class LaneCursor {
 public:
  LaneCursor(Lane lane, std::span<const WaitingRequest> requests, TimePoint now)
      : lane_(lane), requests_(requests), now_(now) {
    SkipToWaiting();
  }

  bool done() const { return request_ == requests_.size(); }

  // Takes parts until one does not fit the budget or the lane's own `allowance`. Returns the tokens taken.
  int Fill(RunBudget& budget, int allowance, std::vector<Take>& takes) {
    int taken = 0;
    while (!done()) {
      const int tokens = requests_[request_].part_tokens[part_];
      if (!budget.Fits(tokens) || taken + tokens > allowance) break;
      budget.Add(tokens);
      taken += tokens;
      Record(takes);
      ++part_;
      SkipToWaiting();
    }
    return taken;
  }

 private:
  void SkipToWaiting() {
    while (!done() &&
           (part_ == requests_[request_].part_tokens.size() || Expired(requests_[request_].deadline, now_))) {
      ++request_;
      part_ = 0;
      take_.reset();
    }
  }

  void Record(std::vector<Take>& takes) {
    if (!take_.has_value()) {
      take_ = takes.size();
      takes.push_back({lane_, request_, 0});
    }
    ++takes[*take_].parts;
  }

  const Lane lane_;
  const std::span<const WaitingRequest> requests_;
  const TimePoint now_;
  size_t request_ = 0;
  size_t part_ = 0;
  std::optional<size_t> take_;  // index of the current request's entry among the takes
};

}  // namespace

RunPlan PlanRun(const QueueView& queue, TimePoint now, const RunLimits& limits) {
  RunPlan plan;
  RunBudget budget(limits);
  LaneCursor short_lane(Lane::kShort, queue.short_lane, now);
  LaneCursor bulk_lane(Lane::kBulk, queue.bulk_lane, now);

  const bool both_wait = !short_lane.done() && !bulk_lane.done();
  const int earned = both_wait ? static_cast<int>(limits.bulk_share * limits.run_tokens) : 0;
  const int credit = queue.bulk_credit_tokens + earned;

  int bulk_tokens = 0;
  if (both_wait) bulk_tokens += bulk_lane.Fill(budget, credit, plan.takes);
  short_lane.Fill(budget, limits.run_tokens, plan.takes);
  bulk_tokens += bulk_lane.Fill(budget, limits.run_tokens, plan.takes);

  if (both_wait) plan.bulk_credit_tokens = std::max(0, credit - bulk_tokens);
  return plan;
}

}  // namespace ks
