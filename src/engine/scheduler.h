// What an engine has admitted, what of it waits and what runs: all its decisions, without a thread, a lock or a clock.
// Inside the room only.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "engine/cores_policy.h"
#include "engine/rate_meter.h"
#include "engine/request.h"
#include "engine/wait_queue.h"
#include "engine/wide_gate.h"

namespace ks {

// Requests wait in one queue for each group of workers; the bound on tokens is one for all. Times come in from outside,
// and must not go back. A request's progress (Request::answered and what follows it) is written here alone: whoever gets
// a request from here answers it. Not safe from several threads: its owner locks.
class Scheduler {
 public:
  struct GroupLimits {
    RunLimits run;
    int workers = 1;
  };
  struct Limits {
    int64_t max_queue_tokens = 0;
    int longest_text = 1;       // tokens of a sequence at most
    int least_wide_tokens = 0;  // CoresLimits
    int least_part_tokens = 0;
  };
  Scheduler(const std::vector<GroupLimits>& groups, const Limits& limits);

  // --- Admission ---
  // Whether a request of `tokens` for the group `index` may come in: kDraining, kQueueFull with RetryAfterOf, or
  // kDeadlinePassed, by CodeOf. The time that it needs is a lower bound, so that nothing is refused that could be done:
  // what already runs counts as finished, and bulk requests do not stand in the way of a short one.
  absl::Status CanAdmit(size_t index, int64_t tokens, TimePoint now, TimePoint deadline) const;
  // The same of a request whose text nobody has looked at. There must be room for any one text, as far as that is no more
  // than a 256th of the queue: otherwise, where many ask, most would be tokenised for nothing and the short ones get in.
  absl::Status CanAdmitAny(size_t index, TimePoint now, TimePoint deadline) const;
  // Requires CanAdmit, by the tokens of its inputs.
  void Admit(const std::shared_ptr<Request>& request, TimePoint now);
  void BeginDrain() { draining_ = true; }
  bool draining() const { return draining_; }

  // --- Runs ---
  struct Run {
    std::vector<RunSlice> slices;
    int64_t tokens = 0;
    bool wide = false;  // on all cores
  };
  // Whether a worker of `group` has something to start.
  bool HasWork(size_t group) const { return !wide_run_ && !groups_[group].queue.empty(); }
  // The next run of a free worker of the group `index`. Requires HasWork and that TakeExpired left none at `now`.
  Run Start(size_t index, TimePoint now);
  struct RunTime {
    Duration wall = {};
    Duration cpu = {};  // of it the worker's thread had a processor
    TimePoint end;
    int cores = 1;
  };
  // Books the end of a run. Returns the requests that are to be answered now: those whose last part it held, or, where
  // it failed, all that had a part in it and no answer yet; what is left of these does not run any more.
  std::vector<std::shared_ptr<Request>> Finish(size_t index, const Run& run, const RunTime& time, bool ok);
  // From now on this group may run on all cores.
  void SetHasWide(size_t group) { groups_[group].has_wide = true; }

  // --- What leaves the queue unrun ---
  std::vector<std::shared_ptr<Request>> TakeExpired(TimePoint now);
  // False where nothing of the request waits.
  bool Cancel(Request& request);
  std::vector<std::shared_ptr<Request>> TakeAll();

  // Of all that waits; max() where nothing does.
  TimePoint first_deadline() const;
  // Admitted and unfinished: waiting or running.
  int64_t queue_tokens() const { return queue_tokens_; }
  double tokens_per_second(size_t group) const { return groups_[group].meter.tokens_per_second(); }
  const WaitQueue& queue(size_t group) const { return groups_[group].queue; }

 private:
  struct Group {
    explicit Group(const GroupLimits& limits)
        : queue(limits.run), meter(limits.run.run_tokens, limits.workers), workers(limits.workers) {}
    WaitQueue queue;
    RateMeter meter;
    int workers;
    int runs = 0;  // in progress
    bool has_wide = false;
  };

  absl::Status HasRoom(const Group& group, int64_t tokens) const;
  CoresChoice Choose(const Group& group, TimePoint now) const;
  // Into the request's timeline, where it has one.
  static void Record(const Run& run, const RunTime& time, bool ok, Request& request);
  // Marks them answered and takes `tokens`, which waited, out of the count.
  void Withdraw(const std::vector<std::shared_ptr<Request>>& requests, int64_t tokens);
  // Takes what waits of a request out of its queue; returns its tokens.
  int64_t TakeOut(const Request& request);

  const Limits limits_;
  std::deque<Group> groups_;
  int64_t queue_tokens_ = 0;
  int runs_ = 0;           // in progress, of all groups
  bool wide_run_ = false;  // one of them, alone, on all cores
  int64_t admitted_ = 0;   // requests, ever
  WideGate wide_gate_;
  bool draining_ = false;
};

}  // namespace ks
