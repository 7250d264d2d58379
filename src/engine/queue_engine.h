// The engine: admission, one queue for each group of backends, one thread for each backend object. Inside the room
// only; everyone else sees engine.h.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "engine/engine.h"
#include "engine/pack.h"
#include "engine/rate_meter.h"
#include "engine/request.h"
#include "engine/routing.h"
#include "engine/shadow.h"
#include "engine/wait_queue.h"

namespace ks {

class QueueEngine final : public Engine {
 public:
  // Requires what Engine::Create checks.
  QueueEngine(std::shared_ptr<const ServedModel> model, const EngineOptions& options, ModelMetrics& metrics,
              const Clock& clock);
  ~QueueEngine() override;
  QueueEngine(const QueueEngine&) = delete;
  QueueEngine& operator=(const QueueEngine&) = delete;

  void Submit(std::span<const TextInput> inputs, const ClassifyOptions& options, Done done) override;
  absl::Status Precheck(TimePoint deadline) const override;
  bool Drain(Duration timeout) override;
  EngineState state() const override;
  const ServedModel& model() const override { return *model_; }
  const EngineOptions& options() const override { return options_; }

 private:
  // A group of backends: what waits for it and how fast it works.
  struct Group {
    Group(const RunLimits& limits, int workers) : queue(limits), meter(limits.run_tokens, workers) {}
    WaitQueue queue;
    RateMeter meter;
    int idle_workers = 0;
  };
  struct Worker {
    size_t group = 0;
    Backend* backend = nullptr;  // the model's; this thread's alone
    PackBuffers buffers;
    std::unique_ptr<Thread> thread;
  };
  // What a worker has to do next, taken from the queue under the lock and done without it.
  struct Step {
    std::vector<RunSlice> run;
    std::vector<std::shared_ptr<Request>> expired;
  };

  // Submit, step by step.
  absl::StatusOr<std::shared_ptr<Request>> Prepare(std::span<const TextInput> inputs, const ClassifyOptions& options);
  absl::Status Admit(const std::shared_ptr<Request>& request) KS_EXCLUDES(mutex_);
  absl::Status CanAdmit(const Group& group, int64_t tokens, TimePoint now, TimePoint deadline) const
      KS_REQUIRES(mutex_);
  TimePoint DeadlineOf(TimePoint deadline, TimePoint now) const;
  void CountRefusal(const absl::Status& status) const;

  // A worker's thread.
  void Work(size_t worker);
  std::optional<Step> NextStep(size_t worker) KS_EXCLUDES(mutex_);
  void Execute(size_t worker, std::span<const RunSlice> run) KS_EXCLUDES(mutex_);
  // Books the run's end; returns the requests that are to be answered now.
  std::vector<std::shared_ptr<Request>> FinishRun(size_t worker, std::span<const RunSlice> run, int tokens,
                                                  Duration duration, bool ok) KS_EXCLUDES(mutex_);

  // The timer's thread: answers on time what expires while every worker is busy.
  void WatchDeadlines();
  std::optional<std::vector<std::shared_ptr<Request>>> NextExpired() KS_EXCLUDES(mutex_);
  // Sees to it that the timer is awake when the first deadline of `queue` passes.
  void WakeTimerFor(const WaitQueue& queue) KS_REQUIRES(mutex_);
  std::vector<std::shared_ptr<Request>> TakeExpired(WaitQueue& queue, TimePoint now) KS_REQUIRES(mutex_);

  // Answers requests that the caller has marked answered under the lock.
  void Succeed(const std::shared_ptr<Request>& request) KS_EXCLUDES(mutex_);
  void FailExpired(std::span<const std::shared_ptr<Request>> expired) KS_EXCLUDES(mutex_);
  void Fail(Request& request, const absl::Status& status) KS_EXCLUDES(mutex_);
  // Both end here.
  void Answer(Request& request, absl::StatusOr<ClassifyResult> result) KS_EXCLUDES(mutex_);

  // Takes requests out of the count of tokens that wait and marks them answered.
  void Withdraw(std::span<const std::shared_ptr<Request>> requests, int64_t waiting_tokens) KS_REQUIRES(mutex_);
  void AddQueueTokens(int64_t tokens) KS_REQUIRES(mutex_);

  const std::shared_ptr<const ServedModel> model_;
  const EngineOptions options_;
  ModelMetrics& metrics_;
  const Clock& clock_;
  Router router_;

  mutable Mutex mutex_;
  CondVar idle_;              // unanswered_ became 0
  std::deque<CondVar> wake_;  // one for each group: its queue is not empty, or stopping_
  CondVar timer_wake_;        // timer_wakes_at_ became earlier, or stopping_
  std::deque<Group> groups_ KS_GUARDED_BY(mutex_);
  TimePoint timer_wakes_at_ KS_GUARDED_BY(mutex_) = TimePoint::max();
  std::vector<std::optional<TimePoint>> running_since_ KS_GUARDED_BY(mutex_);  // of each worker
  int64_t queue_tokens_ KS_GUARDED_BY(mutex_) = 0;  // admitted and unfinished: waiting or running
  int64_t unanswered_ KS_GUARDED_BY(mutex_) = 0;    // requests whose `done` has not returned
  bool draining_ KS_GUARDED_BY(mutex_) = false;
  bool stopping_ KS_GUARDED_BY(mutex_) = false;

  // Last: the threads use everything above, and the workers the shadow.
  std::unique_ptr<Shadow> shadow_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<Thread> timer_;
};

}  // namespace ks
