#include "engine/wait_queue.h"

#include <algorithm>
#include <span>
#include <utility>

namespace ks {

int64_t WaitQueue::Entry::tokens_left() const {
  return request->inputs.tokens() - request->inputs.offsets[static_cast<size_t>(next_part)];
}

void WaitQueue::Add(std::shared_ptr<Request> request) {
  const TimePoint deadline = request->deadline;
  const Lane lane_of = LaneOf(request->inputs.tokens(), limits_.run_tokens);
  tokens_[static_cast<size_t>(lane_of)] += request->inputs.tokens();
  Entries& entries = lane(lane_of);
  entries.push_back({.request = std::move(request), .lane = lane_of, .next_part = 0, .deadline = {}});
  const auto entry = std::prev(entries.end());
  entry->deadline = deadlines_.emplace(deadline, entry);
}

// A run can hold no more than run_tokens tokens, so a prefix of so many is all that PlanRun could use.
std::vector<WaitingRequest> WaitQueue::HeadOf(Lane lane_of) {
  std::vector<WaitingRequest> head;
  int64_t tokens = 0;
  for (const Entry& entry : lane(lane_of)) {
    if (tokens >= limits_.run_tokens) break;
    tokens += entry.tokens_left();
    const std::span<const int> part_tokens = entry.request->inputs.part_tokens;
    head.push_back({entry.request->deadline, part_tokens.subspan(static_cast<size_t>(entry.next_part))});
  }
  return head;
}

std::vector<RunSlice> WaitQueue::TakeRun(TimePoint now, int goal_tokens) {
  const std::vector<WaitingRequest> short_lane = HeadOf(Lane::kShort);
  const std::vector<WaitingRequest> bulk_lane = HeadOf(Lane::kBulk);
  RunLimits limits = limits_;
  limits.goal_tokens = goal_tokens;
  const RunPlan plan = PlanRun({short_lane, bulk_lane, bulk_credit_tokens_}, now, limits);
  bulk_credit_tokens_ = plan.bulk_credit_tokens;

  // The plan's indices count from the heads as they are now, so each lane is walked once, forwards.
  std::array<Entries::iterator, 2> next = {lanes_[0].begin(), lanes_[1].begin()};
  std::array<size_t, 2> index{};
  std::vector<RunSlice> run;
  run.reserve(plan.takes.size());
  for (const Take& take : plan.takes) {
    const auto l = static_cast<size_t>(take.lane);
    for (; index[l] < take.request; ++index[l]) ++next[l];
    const Entries::iterator entry = next[l]++;
    ++index[l];

    const int64_t tokens_before = entry->tokens_left();
    run.push_back({entry->request, entry->next_part, take.parts});
    entry->next_part += take.parts;
    tokens_[l] -= tokens_before - entry->tokens_left();
    if (entry->tokens_left() == 0) Extract(entry);
  }
  return run;
}

std::vector<std::shared_ptr<Request>> WaitQueue::TakeExpired(TimePoint now) {
  std::vector<std::shared_ptr<Request>> expired;
  while (!deadlines_.empty() && Expired(deadlines_.begin()->first, now)) {
    expired.push_back(Extract(deadlines_.begin()->second));
  }
  return expired;
}

void WaitQueue::Remove(const Request& request) {
  for (auto [at, end] = deadlines_.equal_range(request.deadline); at != end; ++at) {
    if (at->second->request.get() != &request) continue;
    Extract(at->second);
    return;
  }
}

std::vector<std::shared_ptr<Request>> WaitQueue::TakeAll() {
  std::vector<std::shared_ptr<Request>> all;
  for (Entries& entries : lanes_) {
    while (!entries.empty()) all.push_back(Extract(entries.begin()));
  }
  return all;
}

WaitQueue::Lone WaitQueue::lone() const {
  if (lanes_[0].size() + lanes_[1].size() != 1) return {};
  const Entry& entry = lanes_[lanes_[0].empty() ? 1 : 0].front();
  return {entry.request.get(), entry.request->inputs.parts() - entry.next_part};
}

std::shared_ptr<Request> WaitQueue::Extract(Entries::iterator entry) {
  const Lane lane_of = entry->lane;
  tokens_[static_cast<size_t>(lane_of)] -= entry->tokens_left();
  deadlines_.erase(entry->deadline);
  std::shared_ptr<Request> request = std::move(entry->request);
  lane(lane_of).erase(entry);
  return request;
}

}  // namespace ks
