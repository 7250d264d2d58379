// Admitted requests of one backend group that still have parts to run.
#pragma once

#include <array>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <vector>

#include "engine/batch_policy.h"
#include "engine/request.h"

namespace ks {

// Two lanes in the order of arrival, with all deadlines in order beside them. No lock, no clock, no limit of its own:
// the engine holds all three. What leaves the queue unrun is the caller's to answer.
class WaitQueue {
 public:
  explicit WaitQueue(const RunLimits& limits) : limits_(limits) {}
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;

  void Add(std::shared_ptr<Request> request);

  // Takes the parts of one run of about `goal_tokens`, as PlanRun says. Empty only if nothing unexpired waits.
  std::vector<RunSlice> TakeRun(TimePoint now, int goal_tokens = std::numeric_limits<int>::max());

  // Takes every request whose deadline has passed, with what is left of it. Cheap where there is none.
  std::vector<std::shared_ptr<Request>> TakeExpired(TimePoint now);

  // Takes what is left of one request, if anything is. Linear in the requests with its deadline.
  void Remove(const Request& request);

  // Takes everything, oldest first in each lane.
  std::vector<std::shared_ptr<Request>> TakeAll();

  // Of everything that waits; max() where nothing does.
  TimePoint first_deadline() const { return deadlines_.empty() ? TimePoint::max() : deadlines_.begin()->first; }

  // The request that waits, if one alone does, and how many of its parts; null and 0 otherwise.
  struct Lone {
    const Request* request = nullptr;
    int parts = 0;
  };
  Lone lone() const;

  bool empty() const { return lanes_[0].empty() && lanes_[1].empty(); }
  // Of parts that wait.
  int64_t tokens() const { return tokens_[0] + tokens_[1]; }
  int64_t tokens(Lane lane) const { return tokens_[static_cast<size_t>(lane)]; }
  const RunLimits& limits() const { return limits_; }

 private:
  struct Entry;
  using Entries = std::list<Entry>;
  using Deadlines = std::multimap<TimePoint, Entries::iterator>;
  struct Entry {
    std::shared_ptr<Request> request;
    Lane lane;
    int next_part = 0;
    Deadlines::iterator deadline;

    int64_t tokens_left() const;
  };

  Entries& lane(Lane lane) { return lanes_[static_cast<size_t>(lane)]; }
  std::vector<WaitingRequest> HeadOf(Lane lane);
  std::shared_ptr<Request> Extract(Entries::iterator entry);

  const RunLimits limits_;
  std::array<Entries, 2> lanes_;  // by Lane
  std::array<int64_t, 2> tokens_{};
  Deadlines deadlines_;
  int bulk_credit_tokens_ = 0;
};

}  // namespace ks
