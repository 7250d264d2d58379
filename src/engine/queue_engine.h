// The engine: the scheduler under a lock, and one thread for each backend object. Inside the room only; everyone else
// sees engine.h.
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
#include "engine/request.h"
#include "engine/routing.h"
#include "engine/scheduler.h"
#include "engine/shadow.h"

namespace ks {

class QueueEngine final : public Engine {
 public:
  // Requires what Engine::Create checks.
  QueueEngine(std::shared_ptr<const ServedModel> model, const EngineOptions& options, ModelMetrics& metrics,
              const Clock& clock);
  ~QueueEngine() override;
  QueueEngine(const QueueEngine&) = delete;
  QueueEngine& operator=(const QueueEngine&) = delete;

  Ticket Submit(std::span<const TextInput> inputs, const ClassifyOptions& options, Done done) override;
  void Cancel(const Ticket& ticket) override;
  absl::Status Precheck(TimePoint deadline) const override;
  bool Drain(Duration timeout) override;
  absl::Status AddWide(std::string_view name, std::unique_ptr<Backend> wide) override;
  EngineState state() const override;
  const ServedModel& model() const override { return *model_; }
  const EngineOptions& options() const override { return options_; }

 private:
  // A group of backends.
  struct Group {
    std::unique_ptr<Backend> wide;  // null: none; used by whichever worker has a run on all cores
    int idle_workers = 0;
  };
  struct Worker {
    size_t group = 0;
    Backend* backend = nullptr;  // the model's; this thread's alone
    PackBuffers buffers;
    std::unique_ptr<Thread> thread;
  };
  // What a worker has to do next, decided under the lock and done without it.
  struct Step {
    std::vector<std::shared_ptr<Request>> expired;
    Scheduler::Run run;
    Backend* backend = nullptr;  // null: there is no run
  };

  // Submit, step by step.
  absl::StatusOr<std::shared_ptr<Request>> Prepare(std::span<const TextInput> inputs, const ClassifyOptions& options);
  absl::Status Admit(const std::shared_ptr<Request>& request) KS_EXCLUDES(mutex_);
  TimePoint DeadlineOf(TimePoint deadline, TimePoint now) const;
  void CountRefusal(const absl::Status& status) const;

  // A worker's thread.
  void Work(size_t worker);
  std::optional<Step> NextStep(size_t worker) KS_EXCLUDES(mutex_);
  void Execute(size_t worker, const Step& step) KS_EXCLUDES(mutex_);
  // Scheduler::Finish, and whoever waited for the end of a run on all cores goes on.
  std::vector<std::shared_ptr<Request>> FinishRun(size_t worker, const Scheduler::Run& run,
                                                  const Scheduler::RunTime& time, bool ok) KS_EXCLUDES(mutex_);

  // The timer's thread: answers on time what expires while every worker is busy.
  void WatchDeadlines();
  std::optional<std::vector<std::shared_ptr<Request>>> NextExpired() KS_EXCLUDES(mutex_);
  // Sees to it that the timer is awake when the first deadline passes.
  void WakeTimer() KS_REQUIRES(mutex_);

  // Answers requests that the scheduler has given back.
  void Succeed(const std::shared_ptr<Request>& request) KS_EXCLUDES(mutex_);
  void FailExpired(std::span<const std::shared_ptr<Request>> expired) KS_EXCLUDES(mutex_);
  void Fail(Request& request, absl::Status status) KS_EXCLUDES(mutex_);
  // Both end here.
  void Answer(Request& request, absl::StatusOr<ClassifyResult> result) KS_EXCLUDES(mutex_);

  // Whenever its tokens may have changed.
  void ShowQueue() KS_REQUIRES(mutex_) { metrics_.SetQueue(scheduler_.queue_tokens(), options_.max_queue_tokens); }

  const std::shared_ptr<const ServedModel> model_;
  const EngineOptions options_;
  ModelMetrics& metrics_;
  const Clock& clock_;
  Router router_;

  mutable Mutex mutex_;
  CondVar idle_;              // unanswered_ became 0
  std::deque<CondVar> wake_;  // one for each group: it has work, or stopping_
  CondVar timer_wake_;        // timer_wakes_at_ became earlier, or stopping_
  Scheduler scheduler_ KS_GUARDED_BY(mutex_);
  std::vector<Group> groups_ KS_GUARDED_BY(mutex_);
  TimePoint timer_wakes_at_ KS_GUARDED_BY(mutex_) = TimePoint::max();
  std::vector<std::optional<TimePoint>> running_since_ KS_GUARDED_BY(mutex_);  // of each worker
  int64_t unanswered_ KS_GUARDED_BY(mutex_) = 0;                               // requests whose `done` has not returned
  bool stopping_ KS_GUARDED_BY(mutex_) = false;

  // Last: the threads use everything above, and the workers the shadow.
  std::unique_ptr<Shadow> shadow_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<Thread> timer_;
};

}  // namespace ks
