// Tested by scheduler_test.cc in virtual time, and through the engine.
#include "engine/scheduler.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "engine/error.h"

namespace ks {
namespace {

int64_t WholeMilliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

Scheduler::Scheduler(const std::vector<GroupLimits>& groups, const Limits& limits) : limits_(limits) {
  for (const GroupLimits& group : groups) groups_.emplace_back(group);
}

absl::Status Scheduler::CanAdmit(size_t index, int64_t tokens, TimePoint now, TimePoint deadline) const {
  if (draining_) return MakeError(ErrorCode::kDraining, "the server is shutting down");
  if (Expired(deadline, now)) return MakeError(ErrorCode::kDeadlinePassed, "the deadline has passed");

  const Group& group = groups_[index];
  KS_RETURN_IF_ERROR(HasRoom(group, tokens));
  const bool is_short = LaneOf(tokens, group.queue.limits().run_tokens) == Lane::kShort;
  const int64_t ahead = is_short ? group.queue.tokens(Lane::kShort) : group.queue.tokens();
  const Duration needed = group.meter.TimeFor(ahead + tokens);
  if (needed > deadline - now) {
    return MakeError(ErrorCode::kDeadlinePassed, Cat("the deadline is in ", WholeMilliseconds(deadline - now),
                                                     " ms, the queue needs ", WholeMilliseconds(needed), " ms"));
  }
  return absl::OkStatus();
}

absl::Status Scheduler::CanAdmitAny(size_t index, TimePoint now, TimePoint deadline) const {
  KS_RETURN_IF_ERROR(CanAdmit(index, 1, now, deadline));
  const int64_t room = std::min<int64_t>(limits_.longest_text, limits_.max_queue_tokens / 256);
  return HasRoom(groups_[index], room);
}

absl::Status Scheduler::HasRoom(const Group& group, int64_t tokens) const {
  if (queue_tokens_ + tokens <= limits_.max_queue_tokens) return absl::OkStatus();
  const auto drained = std::chrono::ceil<std::chrono::seconds>(group.meter.TimeFor(group.queue.tokens()));
  return MakeQueueFull(Cat("the queue holds ", queue_tokens_, " tokens of ", limits_.max_queue_tokens,
                           " (max-queue-tokens): no room for ", tokens, tokens == 1 ? " more" : " more tokens"),
                       drained);
}

void Scheduler::Admit(const std::shared_ptr<Request>& request, TimePoint now) {
  request->admitted = now;
  request->came_alone = queue_tokens_ == 0;
  if (request->timeline != nullptr) request->timeline->queued = request->timeline->unqueued = now;
  request->number = ++admitted_;
  queue_tokens_ += request->inputs.tokens();
  groups_[request->group].queue.Add(request);
}

CoresChoice Scheduler::Choose(const Group& group, TimePoint now) const {
  const WaitQueue::Lone lone = group.queue.lone();
  return ChooseCores({.runs = runs_,
                      .wide_run = wide_run_,
                      .has_wide = group.has_wide && wide_gate_.IsOpen(now),
                      .workers = group.workers,
                      .waiting_tokens = group.queue.tokens(),
                      .waiting_parts = lone.parts,
                      .came_alone = lone.request != nullptr && lone.request->came_alone},
                     {.run_tokens = group.queue.limits().run_tokens,
                      .least_wide_tokens = limits_.least_wide_tokens,
                      .least_part_tokens = limits_.least_part_tokens});
}

Scheduler::Run Scheduler::Start(size_t index, TimePoint now) {
  WaitQueue& queue = groups_[index].queue;
  const CoresChoice choice = Choose(groups_[index], now);
  const int64_t waiting = queue.tokens();
  Run run = {.slices = queue.TakeRun(now, choice.goal_tokens), .wide = choice.cores == CoresChoice::Cores::kAll};
  run.tokens = waiting - queue.tokens();
  for (const RunSlice& slice : run.slices) {
    StageTimes& times = slice.request->times;
    times.queue = std::max(times.queue, now - slice.request->admitted);
    if (slice.request->timeline != nullptr) slice.request->timeline->unqueued = now;
  }
  ++groups_[index].runs;
  ++runs_;
  wide_run_ = run.wide;
  return run;
}

std::vector<std::shared_ptr<Request>> Scheduler::Finish(size_t index, const Run& run, const RunTime& time, bool ok) {
  --groups_[index].runs;
  --runs_;
  if (run.wide) {
    wide_run_ = false;
    wide_gate_.AddRun(time.wall, time.cpu, time.end);
  }
  queue_tokens_ -= run.tokens;
  if (ok) groups_[index].meter.AddRun(run.tokens, time.wall, run.wide);

  std::vector<std::shared_ptr<Request>> finished;
  for (const RunSlice& slice : run.slices) {
    Request& request = *slice.request;
    if (request.answered) continue;  // expired, cancelled, or failed in another run
    request.times.infer += time.wall;
    Record(run, time, ok, request);
    request.unfinished_parts -= slice.parts;
    if (ok && request.unfinished_parts > 0) continue;
    if (!ok) queue_tokens_ -= TakeOut(request);
    request.answered = true;
    if (request.came_alone && request.inputs.parts() == 1) wide_gate_.AddLoneText(admitted_ > request.number);
    finished.push_back(slice.request);
  }
  return finished;
}

void Scheduler::Record(const Run& run, const RunTime& time, bool ok, Request& request) {
  Timeline* timeline = request.timeline.get();
  if (timeline == nullptr || timeline->runs.size() == Timeline::kMostRuns) return;
  int sequences = 0;
  for (const RunSlice& slice : run.slices) sequences += slice.parts;
  timeline->runs.push_back({.start = time.end - time.wall,
                            .end = time.end,
                            .sequences = sequences,
                            .tokens = run.tokens,
                            .cores = time.cores,
                            .ok = ok});
}

std::vector<std::shared_ptr<Request>> Scheduler::TakeExpired(TimePoint now) {
  std::vector<std::shared_ptr<Request>> expired;
  for (Group& group : groups_) {
    if (!Expired(group.queue.first_deadline(), now)) continue;
    const int64_t waiting = group.queue.tokens();
    const auto of_group = group.queue.TakeExpired(now);
    Withdraw(of_group, waiting - group.queue.tokens());
    expired.insert(expired.end(), of_group.begin(), of_group.end());
  }
  return expired;
}

bool Scheduler::Cancel(Request& request) {
  if (request.answered) return false;
  const int64_t waited = TakeOut(request);
  queue_tokens_ -= waited;
  request.answered = waited > 0;
  return waited > 0;
}

std::vector<std::shared_ptr<Request>> Scheduler::TakeAll() {
  std::vector<std::shared_ptr<Request>> all;
  for (Group& group : groups_) {
    const int64_t waiting = group.queue.tokens();
    const auto of_group = group.queue.TakeAll();
    Withdraw(of_group, waiting);
    all.insert(all.end(), of_group.begin(), of_group.end());
  }
  return all;
}

TimePoint Scheduler::first_deadline() const {
  TimePoint first = TimePoint::max();
  for (const Group& group : groups_) first = std::min(first, group.queue.first_deadline());
  return first;
}

void Scheduler::Withdraw(const std::vector<std::shared_ptr<Request>>& requests, int64_t tokens) {
  for (const auto& request : requests) request->answered = true;
  queue_tokens_ -= tokens;
}

int64_t Scheduler::TakeOut(const Request& request) {
  WaitQueue& queue = groups_[request.group].queue;
  const int64_t waiting = queue.tokens();
  queue.Remove(request);
  return waiting - queue.tokens();
}

}  // namespace ks
