// The scheduler in virtual time, over thousands of random patterns of arrivals, each from its seed: events in order, no
// threads and no waiting. What must hold at every step is checked there, what must hold in the end after the last event.
#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <span>
#include <vector>

#include "backend/fake/fake_backend.h"
#include "engine/error.h"
#include "engine/pack.h"

namespace ks {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

constexpr int kPatterns = 3000;
constexpr int kClasses = 2;
constexpr Duration kHeldUp = std::chrono::milliseconds(3);

// One pattern: a server and what comes to it.
struct Pattern {
  explicit Pattern(unsigned seed) : random(seed) {
    groups = Below(4) == 0 ? 2 : 1;
    workers = 1 + Below(4);
    has_wide = workers > 1 && Below(2) == 0;
    run_tokens = 64 << Below(4);
    longest_part = run_tokens / 2;
    // Half of them get through less than comes.
    token_cost = microseconds(Below(2) == 0 ? 20 : 2000);
    run_cost = microseconds(Below(500));
    limits = {.max_queue_tokens = run_tokens * (2 + Below(30)),
              .least_wide_tokens = 1 + Below(32),
              .least_part_tokens = 1 + Below(64)};
    requests = 20 + Below(100);
    gap = microseconds(1 + Below(20'000));
    bulk_percent = Below(40);
    hasty_percent = Below(2) * Below(30);
    leaving_percent = Below(2) * Below(20);
    failing_percent = Below(3) == 0 ? Below(10) : 0;
    held_up_percent = Below(2) * Below(50);
  }

  int Below(int bound) { return static_cast<int>(random() % static_cast<unsigned>(bound)); }
  bool Chance(int percent) { return Below(100) < percent; }

  Duration CostOf(const Scheduler::Run& run) const {
    const Duration work = run_cost + token_cost * run.tokens;
    return run.wide ? work * 2 / (workers + 1) : work;  // all cores help, but not as much as they could
  }
  Duration LongestRun() const { return run_cost + token_cost * run_tokens; }

  std::mt19937 random;
  int groups, workers, run_tokens, longest_part;
  bool has_wide;
  Duration token_cost, run_cost, gap;
  Scheduler::Limits limits;
  int requests, bulk_percent, hasty_percent, leaving_percent, failing_percent, held_up_percent;
};

class Simulation {
 public:
  explicit Simulation(unsigned seed)
      : pattern_(seed),
        scheduler_(std::vector<Scheduler::GroupLimits>(
                       static_cast<size_t>(pattern_.groups),
                       {.run = {.run_tokens = pattern_.run_tokens}, .workers = pattern_.workers}),
                   pattern_.limits),
        idle_(static_cast<size_t>(pattern_.groups), pattern_.workers) {
    for (size_t g = 0; g < idle_.size() && pattern_.has_wide; ++g) scheduler_.SetHasWide(g);
  }

  void Run() {
    TimePoint arrival = now_;
    for (int i = 0; i < pattern_.requests; ++i) {
      At(arrival, [this] { Arrive(); });
      // Alone, close together, or at once.
      if (pattern_.Below(3) != 0) arrival += pattern_.gap * pattern_.Below(100) / 25;
    }
    while (!events_.empty() && !::testing::Test::HasFatalFailure()) {
      const auto event = events_.begin();
      now_ = event->first;
      const auto action = std::move(event->second);
      events_.erase(event);
      action();
      AnswerExpired();
      Dispatch();
      CheckState();
    }
    ASSERT_EQ(scheduler_.queue_tokens(), 0);
    ASSERT_EQ(unfinished_tokens_, 0);
    ASSERT_TRUE(admitted_.empty()) << admitted_.size() << " requests were never answered";
    ASSERT_TRUE(hints_.empty()) << "a queue that never drained";
  }

  int answered = 0, expired = 0, refused = 0, left = 0, failed = 0, wide_runs = 0, hints = 0;
  int64_t bulk_beside_short = 0;

 private:
  struct Admitted {
    int64_t ahead;  // tokens that may run before its last part does, its own included
    bool is_short;
    int64_t unrun_tokens;
  };

  void At(TimePoint time, std::function<void()> action) { events_.emplace(time, std::move(action)); }

  std::shared_ptr<Request> NewRequest() {
    auto request = std::make_shared<Request>();
    const int parts = pattern_.Chance(pattern_.bulk_percent) ? 2 + pattern_.Below(40) : 1;
    EncodedInputs& inputs = request->inputs;
    inputs.offsets = {0};
    for (int i = 0; i < parts; ++i) {
      const int tokens = 1 + pattern_.Below(pattern_.longest_part);
      for (int t = 0; t < tokens; ++t) inputs.ids.push_back(next_id_++);  // no two texts are the same
      inputs.part_tokens.push_back(tokens);
      inputs.offsets.push_back(inputs.offsets.back() + tokens);
    }
    request->group = static_cast<size_t>(pattern_.Below(pattern_.groups));
    request->unfinished_parts = parts;
    request->logits.resize(static_cast<size_t>(parts) * kClasses);
    request->part_runs.resize(static_cast<size_t>(parts));
    request->deadline = pattern_.Chance(pattern_.hasty_percent) ? now_ + pattern_.LongestRun() * pattern_.Below(8) / 4
                                                                : TimePoint::max();
    return request;
  }

  void Arrive() {
    const std::shared_ptr<Request> request = NewRequest();
    const int64_t tokens = request->inputs.tokens();
    const absl::Status status = scheduler_.CanAdmit(request->group, tokens, now_, request->deadline);
    if (!status.ok()) {
      ++refused;
      if (CodeOf(status) == ErrorCode::kQueueFull) {
        ASSERT_GT(unfinished_tokens_ + tokens, pattern_.limits.max_queue_tokens);
        ExpectHint(request->group, *RetryAfterOf(status));
      } else {
        ASSERT_EQ(CodeOf(status), ErrorCode::kDeadlinePassed);
        ASSERT_NE(request->deadline, TimePoint::max());
      }
      return;
    }
    const bool is_short = tokens <= pattern_.run_tokens;
    const WaitQueue& queue = scheduler_.queue(request->group);
    const int64_t ahead = (is_short ? queue.tokens(Lane::kShort) : queue.tokens(Lane::kBulk)) + tokens;
    scheduler_.Admit(request, now_);
    unfinished_tokens_ += tokens;
    admitted_[request] = {ahead, is_short, tokens};
    if (request->deadline < TimePoint::max()) At(request->deadline, [] {});
    if (pattern_.Chance(pattern_.leaving_percent)) {
      At(now_ + pattern_.LongestRun() * pattern_.Below(12) / 4, [this, request] { Leave(request); });
    }
  }

  void Leave(const std::shared_ptr<Request>& request) {
    const bool waits = admitted_.contains(request) && admitted_[request].unrun_tokens > 0;
    ASSERT_EQ(scheduler_.Cancel(*request), waits);
    if (!waits) return;
    ++left;
    Forget(request);
  }

  void AnswerExpired() {
    for (const auto& request : scheduler_.TakeExpired(now_)) {
      ASSERT_EQ(request->deadline, now_) << "not on time";
      ++expired;
      Forget(request);
    }
  }

  // Out of what is expected; what of it waited is gone, what runs comes to its end.
  void Forget(const std::shared_ptr<Request>& request) {
    const auto found = admitted_.find(request);
    ASSERT_NE(found, admitted_.end()) << "answered twice";
    unfinished_tokens_ -= found->second.unrun_tokens;
    admitted_.erase(found);
  }

  // Every idle worker takes what it can, as the engine's threads do.
  void Dispatch() {
    for (size_t group = 0; group < idle_.size(); ++group) {
      while (idle_[group] > 0 && scheduler_.HasWork(group)) Start(group);
    }
  }

  void Start(size_t group) {
    ASSERT_FALSE(wide_running_) << "beside a run on all cores";
    const WaitQueue& queue = scheduler_.queue(group);
    const bool both_wait = queue.tokens(Lane::kShort) > 0 && queue.tokens(Lane::kBulk) > 0;
    const auto run = std::make_shared<Scheduler::Run>(scheduler_.Start(group, now_));
    --idle_[group];
    ASSERT_FALSE(run->slices.empty());
    ASSERT_LE(run->tokens, pattern_.run_tokens);
    int64_t tokens = 0, bulk_tokens = 0;
    for (const RunSlice& slice : run->slices) {
      const std::vector<int>& part_tokens = slice.request->inputs.part_tokens;
      const auto first = part_tokens.begin() + slice.first_part;
      const int64_t slice_tokens = std::accumulate(first, first + slice.parts, int64_t{0});
      ASSERT_GT(slice.request->deadline, now_) << "expired, and run";
      ASSERT_TRUE(admitted_.contains(slice.request)) << "answered, and run";
      ASSERT_EQ(slice.request->group, group);
      Admitted& admitted = admitted_[slice.request];
      admitted.unrun_tokens -= slice_tokens;
      tokens += slice_tokens;
      bulk_tokens += admitted.is_short ? 0 : slice_tokens;
    }
    ASSERT_EQ(run->tokens, tokens);
    CheckBulkShare(group, both_wait, bulk_tokens, tokens);
    if (run->wide) {
      ASSERT_EQ(running_, 0);
      ASSERT_EQ(run->slices.size(), 1u);
      ASSERT_GE(now_, no_wide_before_);
      wide_running_ = true;
      ++wide_runs;
    }
    ++running_;
    started_[group] += tokens;
    NoteDrained(group);
    // Some milliseconds more where something else has the cores.
    const bool held_up = run->wide && pattern_.Chance(pattern_.held_up_percent);
    const Duration cpu = pattern_.CostOf(*run);
    const Duration wall = held_up ? 2 * cpu + kHeldUp : cpu;
    held_up_ += wall - cpu;
    At(now_ + wall, [this, group, run, cpu, wall] { Finish(group, *run, wall, cpu); });
  }

  void Finish(size_t group, const Scheduler::Run& run, Duration wall, Duration cpu) {
    const bool ok = !pattern_.Chance(pattern_.failing_percent);
    if (ok) Compute(run);
    ++idle_[group];
    --running_;
    if (run.wide) wide_running_ = false;
    if (run.wide) {
      if (wall > cpu && was_held_up_) no_wide_before_ = now_ + WideGate::kShortestPause;
      was_held_up_ = wall > cpu;
    }
    measured_[group] = measured_[group] || (ok && !run.wide && 2 * run.tokens >= pattern_.run_tokens);
    unfinished_tokens_ -= run.tokens;
    for (const auto& request : scheduler_.Finish(group, run, {wall, cpu, now_}, ok)) {
      ASSERT_TRUE(admitted_.contains(request)) << "answered twice";
      if (ok) {
        ASSERT_EQ(admitted_[request].unrun_tokens, 0);
        CheckAnswer(*request);
        CheckWait(*request, admitted_[request]);
        ++answered;
      } else {
        ++failed;
      }
      Forget(request);
    }
  }

  // As a worker does.
  void Compute(const Scheduler::Run& run) {
    PackBuffers buffers;
    const PackedBatch batch = buffers.Pack(run.slices);
    BackendFacts facts = FakeFacts();
    facts.max_tokens = facts.max_tokens_per_sequence = pattern_.run_tokens;
    facts.classes = kClasses;
    const absl::StatusOr<Logits> logits = FakeBackend(facts).Run(batch);
    ASSERT_TRUE(logits.ok()) << logits.status();
    ASSERT_TRUE(Scatter(*logits, kClasses, run.slices).ok());
  }

  void CheckAnswer(const Request& request) const {
    for (int part = 0; part < request.inputs.parts(); ++part) {
      const auto begin = static_cast<size_t>(request.inputs.offsets[static_cast<size_t>(part)]);
      const auto size = static_cast<size_t>(request.inputs.part_tokens[static_cast<size_t>(part)]);
      const std::vector<float> expected = FakeLogits(std::span(request.inputs.ids).subspan(begin, size), {}, kClasses);
      for (size_t c = 0; c < kClasses; ++c) {
        ASSERT_EQ(request.logits[static_cast<size_t>(part) * kClasses + c], expected[c]) << "of another text";
      }
    }
  }

  // Nobody starves. While a request waits no worker of its group is idle, but for one run on all cores that may have been
  // under way; each run of `run_tokens` is short of it by less than a part, and keeps a share for the other lane. So many
  // runs at most stand before the end of its own last one.
  void CheckWait(const Request& request, const Admitted& admitted) const {
    const double share = admitted.is_short ? 0.75 : 0.25;
    const double run = pattern_.run_tokens;
    const double usable = admitted.is_short ? share * run - pattern_.longest_part + 1 : share * run;
    const double runs = (static_cast<double>(admitted.ahead) + 2 * run) / usable;
    const double rounds = runs / pattern_.workers + 2;
    const Duration bound = held_up_ + std::chrono::duration_cast<Duration>(pattern_.LongestRun() * (rounds + 1));
    ASSERT_LE(now_ - request.admitted, bound) << (admitted.is_short ? "short" : "bulk") << " behind " << admitted.ahead
                                              << " tokens, " << pattern_.workers << " workers";
  }

  // Over each stretch in which both lanes wait, in tokens: the share, less what one part may be waiting for.
  void CheckBulkShare(size_t group, bool both_wait, int64_t bulk_tokens, int64_t tokens) {
    Stretch& stretch = stretches_[group];
    if (!both_wait) {
      stretch = {};
      return;
    }
    stretch.bulk += bulk_tokens;
    stretch.all += tokens;
    bulk_beside_short += bulk_tokens;
    ASSERT_GE(static_cast<double>(stretch.bulk),
              0.25 * static_cast<double>(stretch.all) - pattern_.longest_part - 0.25 * pattern_.run_tokens);
  }

  // What a refused caller was told against the time in which as much as waited has started.
  void ExpectHint(size_t group, seconds hint) {
    const int64_t waiting = scheduler_.queue(group).tokens();
    // What leaves the queue unrun would make the time too short.
    const bool all_runs = pattern_.failing_percent + pattern_.leaving_percent + pattern_.hasty_percent == 0;
    if (all_runs && waiting > 0) hints_.emplace(started_[group] + waiting, Hint{group, now_, hint, measured_[group]});
  }
  void NoteDrained(size_t group) {
    for (auto at = hints_.begin(); at != hints_.end();) {
      if (at->second.group != group || at->first > started_[group]) {
        ++at;
        continue;
      }
      const double took = Seconds(now_ - at->second.given);
      const double told = Seconds(at->second.hint);
      ++hints;
      EXPECT_LE(told, 3 * took + 1) << "told to wait too long";
      const double at_most = at->second.measured ? 3 * told + Seconds(pattern_.LongestRun() + held_up_) : took;
      EXPECT_LE(took, at_most) << "told to come back too early";
      at = hints_.erase(at);
    }
  }

  void CheckState() {
    ASSERT_EQ(scheduler_.queue_tokens(), unfinished_tokens_);
    ASSERT_LE(unfinished_tokens_, pattern_.limits.max_queue_tokens);
    for (size_t group = 0; group < idle_.size(); ++group) {
      ASSERT_TRUE(idle_[group] == 0 || scheduler_.queue(group).empty() || wide_running_)
          << "an idle worker while texts wait";
    }
  }

  struct Stretch {
    int64_t bulk = 0;
    int64_t all = 0;
  };
  struct Hint {
    size_t group;
    TimePoint given;
    seconds hint;
    bool measured;  // before, a run had told how fast the group is
  };

  Pattern pattern_;
  Scheduler scheduler_;
  std::vector<int> idle_;  // workers of each group
  TimePoint now_{seconds(100)};
  std::multimap<TimePoint, std::function<void()>> events_;  // equal times in the order in which they came
  std::map<std::shared_ptr<Request>, Admitted> admitted_;   // and not answered
  std::map<size_t, int64_t> started_;                       // tokens, by group
  std::map<size_t, Stretch> stretches_;
  std::map<size_t, bool> measured_;
  std::multimap<int64_t, Hint> hints_;
  int64_t unfinished_tokens_ = 0;
  int running_ = 0;
  bool wide_running_ = false;
  TimePoint no_wide_before_;
  bool was_held_up_ = false;  // the wide run before
  Duration held_up_{0};       // of all wide runs
  int32_t next_id_ = 0;
};

TEST(Scheduler, KeepsItsPromisesUnderAnyPatternOfArrivals) {
  int answered = 0, expired = 0, refused = 0, left = 0, failed = 0, wide_runs = 0, hints = 0;
  int64_t bulk_beside_short = 0;
  for (unsigned seed = 0; seed < kPatterns; ++seed) {
    SCOPED_TRACE(seed);
    Simulation simulation(seed);
    simulation.Run();
    if (HasFailure()) return;
    answered += simulation.answered;
    expired += simulation.expired;
    refused += simulation.refused;
    left += simulation.left;
    failed += simulation.failed;
    wide_runs += simulation.wide_runs;
    hints += simulation.hints;
    bulk_beside_short += simulation.bulk_beside_short;
  }
  // The patterns are worth something only if all of this happens in them.
  EXPECT_GT(answered, 30 * kPatterns);
  for (const int count : {expired, refused, left, failed, wide_runs, hints}) EXPECT_GT(count, kPatterns / 4);
  EXPECT_GT(bulk_beside_short, kPatterns);
}

}  // namespace
}  // namespace ks
