// How it works: Submit tokenises on its caller's thread and then, in one step under the lock, admits the request whole
// or not at all. A worker takes what its group's queue holds, up to a run's tokens, answers what has expired, and runs
// without the lock. The last part of a request to finish answers it; the first run of it that fails answers it too, and
// takes the rest out of the queue. Whoever sets Request::answered under the lock, and nobody else, calls its `done`.
//
// Tested by engine_test.cc (results), admission_test.cc (refusals and deadlines) and engine_threads_test.cc.
#include "engine/queue_engine.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "engine/error.h"
#include "engine/served_model.h"
#include "telemetry/metrics.h"

namespace ks {
namespace {

// Drain looks at the injected clock at least so often.
constexpr Duration kDrainWakeUp = std::chrono::milliseconds(20);

// The timer's longest sleep while a deadline is ahead.
constexpr Duration kTimerWakeUp = std::chrono::hours(1);

RunLimits LimitsOf(const BackendGroup& group, const EngineOptions& options) {
  RunLimits limits = {.run_tokens = options.run_tokens};
  for (const auto& backend : group.workers) {
    limits.run_tokens = std::min(limits.run_tokens, backend->facts().max_tokens);
    limits.pads = limits.pads || backend->facts().pads;
  }
  return limits;
}

int64_t WholeMilliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

QueueEngine::QueueEngine(std::shared_ptr<const ServedModel> model, const EngineOptions& options, ModelMetrics& metrics,
                         const Clock& clock)
    : model_(std::move(model)),
      options_(options),
      metrics_(metrics),
      clock_(clock),
      router_(model_->groups(), options_.routing) {
  for (size_t g = 0; g < model_->groups().size(); ++g) {
    const BackendGroup& group = model_->groups()[g];
    groups_.emplace_back(LimitsOf(group, options_), static_cast<int>(group.workers.size()));
    wake_.emplace_back();
    for (const auto& backend : group.workers) {
      auto worker = std::make_unique<Worker>();
      worker->group = g;
      worker->backend = backend.get();
      workers_.push_back(std::move(worker));
    }
  }
  running_since_.resize(workers_.size());
  if (const std::optional<size_t> group = router_.shadow()) {
    Backend& backend = *model_->groups()[*group].shadow;
    const RunLimits limits = {.run_tokens = std::min(options_.run_tokens, backend.facts().max_tokens),
                              .pads = backend.facts().pads};
    shadow_ = std::make_unique<Shadow>(backend, limits, options_.max_shadow_tokens, metrics_);
  }
  metrics_.SetQueue(0, options_.max_queue_tokens);
  for (size_t w = 0, index = 0; w < workers_.size(); ++w) {
    if (w > 0 && workers_[w]->group != workers_[w - 1]->group) index = 0;
    const std::string& name = model_->groups()[workers_[w]->group].name;
    workers_[w]->thread = std::make_unique<Thread>(Cat(name, "-", index++), [this, w] { Work(w); });
  }
  timer_ = std::make_unique<Thread>("deadlines", [this] { WatchDeadlines(); });
}

QueueEngine::~QueueEngine() {
  Drain(Duration::max());
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  for (CondVar& wake : wake_) wake.NotifyAll();
  timer_wake_.NotifyAll();
  timer_->Join();
  for (const auto& worker : workers_) worker->thread->Join();
}

void QueueEngine::Submit(std::span<const TextInput> inputs, const ClassifyOptions& options, Done done) {
  absl::StatusOr<std::shared_ptr<Request>> request = Prepare(inputs, options);
  absl::Status status = request.status();
  if (status.ok()) {
    (*request)->done = std::move(done);
    status = Admit(*request);
    if (status.ok()) return;
    done = std::move((*request)->done);
  }
  CountRefusal(status);
  done(std::move(status));
}

// Everything that needs no lock, cheapest refusals first.
absl::StatusOr<std::shared_ptr<Request>> QueueEngine::Prepare(std::span<const TextInput> inputs,
                                                              const ClassifyOptions& options) {
  const ClassifierSpec& spec = model_->spec();
  if (inputs.empty()) return MakeError(ErrorCode::kBatchEmpty, "the batch holds no text");
  if (options.top_k < 0 || options.top_k > spec.num_labels()) {
    return MakeError(ErrorCode::kInvalidInput,
                     Cat("top_k: expected 1 to ", spec.num_labels(), ", found ", options.top_k));
  }

  KS_ASSIGN_OR_RETURN(const size_t group, router_.Choose(options.backend));

  auto request = std::make_shared<Request>();
  request->model = model_;
  request->group = group;
  request->activation = options.activation.value_or(spec.activation);
  request->top_k = options.top_k;
  const TimePoint start = clock_.Now();
  request->deadline = DeadlineOf(options.deadline, start);
  {
    MutexLock lock(mutex_);
    KS_RETURN_IF_ERROR(CanAdmit(groups_[group], 1, start, request->deadline));
  }

  const EncodeLimits limits = {.window = model_->manifest().window,
                               .max_tokens = options_.max_batch_tokens,
                               .type_ids = spec.encoder.type_vocab_size > 1};
  KS_ASSIGN_OR_RETURN(request->inputs, EncodeInputs(model_->tokenizer(), inputs, options.long_text, limits));
  request->unfinished_parts = request->inputs.parts();
  request->logits.resize(static_cast<size_t>(request->inputs.parts()) * spec.labels.size());
  request->part_runs.resize(static_cast<size_t>(request->inputs.parts()));
  request->times.tokenize = clock_.Now() - start;
  return request;
}

absl::Status QueueEngine::Admit(const std::shared_ptr<Request>& request) {
  const int64_t tokens = request->inputs.tokens();
  bool for_several = false;
  {
    MutexLock lock(mutex_);
    Group& group = groups_[request->group];
    request->admitted = clock_.Now();
    KS_RETURN_IF_ERROR(CanAdmit(group, tokens, request->admitted, request->deadline));
    AddQueueTokens(tokens);
    ++unanswered_;
    for_several = tokens > group.queue.limits().run_tokens;
    group.queue.Add(request);
    if (group.idle_workers == 0) WakeTimerFor(group.queue);  // otherwise a worker takes it at once
  }
  CondVar& wake = wake_[request->group];
  for_several ? wake.NotifyAll() : wake.NotifyOne();
  return absl::OkStatus();
}

// The time a request needs is a lower bound, so that nothing is refused that could be done: what already runs counts as
// finished, and bulk requests do not stand in the way of a short one.
absl::Status QueueEngine::CanAdmit(const Group& group, int64_t tokens, TimePoint now, TimePoint deadline) const {
  if (draining_) return MakeError(ErrorCode::kDraining, "the server is shutting down");
  if (Expired(deadline, now)) return MakeError(ErrorCode::kDeadlinePassed, "the deadline has passed");

  const bool is_short = LaneOf(tokens, group.queue.limits().run_tokens) == Lane::kShort;
  const int64_t ahead = is_short ? group.queue.tokens(Lane::kShort) : group.queue.tokens();
  if (queue_tokens_ + tokens > options_.max_queue_tokens) {
    const auto drained = std::chrono::ceil<std::chrono::seconds>(group.meter.TimeFor(group.queue.tokens()));
    return MakeQueueFull(Cat("the queue holds ", queue_tokens_, " tokens of ", options_.max_queue_tokens,
                             " (max-queue-tokens): no room for ", tokens, tokens == 1 ? " more" : " more tokens"),
                         drained);
  }
  const Duration needed = group.meter.TimeFor(ahead + tokens);
  if (needed > deadline - now) {
    return MakeError(ErrorCode::kDeadlinePassed, Cat("the deadline is in ", WholeMilliseconds(deadline - now),
                                                     " ms, the queue needs ", WholeMilliseconds(needed), " ms"));
  }
  return absl::OkStatus();
}

TimePoint QueueEngine::DeadlineOf(TimePoint deadline, TimePoint now) const {
  return deadline == TimePoint::max() ? AddSaturated(now, options_.default_deadline) : deadline;
}

absl::Status QueueEngine::Precheck(TimePoint deadline) const {
  const TimePoint now = clock_.Now();
  absl::Status status;
  {
    MutexLock lock(mutex_);
    for (const Group& group : groups_) {  // the request may be for any of them
      status = CanAdmit(group, 1, now, DeadlineOf(deadline, now));
      if (status.ok()) return status;
    }
  }
  CountRefusal(status);
  return status;
}

void QueueEngine::CountRefusal(const absl::Status& status) const {
  switch (CodeOf(status)) {
    case ErrorCode::kQueueFull:
      return metrics_.CountRejected(RejectReason::kQueueFull);
    case ErrorCode::kDeadlinePassed:
      return metrics_.CountRejected(RejectReason::kDeadline);
    case ErrorCode::kDraining:
      return metrics_.CountRejected(RejectReason::kDraining);
    case ErrorCode::kBatchTooBig:
      return metrics_.CountRejected(RejectReason::kTooLarge);
    default:
      return;  // the caller's mistakes and our failures are no refusals
  }
}

void QueueEngine::Work(size_t worker) {
  while (const std::optional<Step> step = NextStep(worker)) {
    FailExpired(step->expired);
    if (!step->run.empty()) Execute(worker, step->run);
  }
}

std::optional<QueueEngine::Step> QueueEngine::NextStep(size_t worker) {
  const size_t index = workers_[worker]->group;
  MutexLock lock(mutex_);
  Group& group = groups_[index];
  WaitQueue& queue = group.queue;
  ++group.idle_workers;
  while (queue.empty() && !stopping_) wake_[index].Wait(mutex_);
  --group.idle_workers;
  if (queue.empty()) return std::nullopt;

  const TimePoint now = clock_.Now();
  Step step;
  step.expired = TakeExpired(queue, now);
  step.run = queue.TakeRun(now);
  for (const RunSlice& slice : step.run) {
    StageTimes& times = slice.request->times;
    times.queue = std::max(times.queue, now - slice.request->admitted);
  }
  if (!step.run.empty()) running_since_[worker] = now;
  WakeTimerFor(queue);
  return step;
}

void QueueEngine::WatchDeadlines() {
  while (const auto expired = NextExpired()) FailExpired(*expired);
}

std::optional<std::vector<std::shared_ptr<Request>>> QueueEngine::NextExpired() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    const TimePoint now = clock_.Now();
    TimePoint next = TimePoint::max();
    for (Group& group : groups_) {
      if (auto expired = TakeExpired(group.queue, now); !expired.empty()) return expired;
      next = std::min(next, group.queue.first_deadline());
    }
    timer_wakes_at_ = next;
    if (next == TimePoint::max()) {
      timer_wake_.Wait(mutex_);
    } else {
      timer_wake_.WaitFor(mutex_, std::min(next - now, kTimerWakeUp));
    }
  }
  return std::nullopt;
}

void QueueEngine::WakeTimerFor(const WaitQueue& queue) {
  if (queue.first_deadline() >= timer_wakes_at_) return;
  timer_wakes_at_ = queue.first_deadline();
  timer_wake_.NotifyOne();
}

std::vector<std::shared_ptr<Request>> QueueEngine::TakeExpired(WaitQueue& queue, TimePoint now) {
  const int64_t waiting = queue.tokens();
  std::vector<std::shared_ptr<Request>> expired = queue.TakeExpired(now);
  Withdraw(expired, waiting - queue.tokens());
  return expired;
}

void QueueEngine::Execute(size_t worker, std::span<const RunSlice> run) {
  Worker& self = *workers_[worker];
  const PackedBatch batch = self.buffers.Pack(run);
  const TimePoint start = clock_.Now();
  const absl::StatusOr<Logits> logits = self.backend->Run(batch);
  const Duration duration = clock_.Now() - start;
  metrics_.ObserveRun(static_cast<int>(self.group), duration, batch.sequences(), batch.tokens());

  absl::Status status = logits.status();
  if (status.ok()) status = Scatter(*logits, model_->spec().num_labels(), run);
  for (const RunSlice& slice : run) {
    const auto first = slice.request->part_runs.begin() + slice.first_part;
    std::fill_n(first, slice.parts, PartRun{duration, false});
    first->first_of_slice = true;
  }
  for (const auto& request : FinishRun(worker, run, batch.tokens(), duration, status.ok())) {
    if (status.ok()) {
      Succeed(request);
    } else {
      Fail(*request, MakeError(ErrorCode::kInferenceFailed, Cat("inference failed: ", ToStd(status.message()))));
    }
  }
}

std::vector<std::shared_ptr<Request>> QueueEngine::FinishRun(size_t worker, std::span<const RunSlice> run, int tokens,
                                                             Duration duration, bool ok) {
  std::vector<std::shared_ptr<Request>> finished;
  MutexLock lock(mutex_);
  Group& group = groups_[workers_[worker]->group];
  running_since_[worker].reset();
  AddQueueTokens(-tokens);
  if (ok) group.meter.AddRun(tokens, duration);
  for (const RunSlice& slice : run) {
    Request& request = *slice.request;
    if (request.answered) continue;  // expired, or failed in another run
    request.times.infer += duration;
    request.unfinished_parts -= slice.parts;
    if (!ok) {
      const int64_t waiting = group.queue.tokens();
      group.queue.Remove(request);
      AddQueueTokens(group.queue.tokens() - waiting);
    }
    if (!ok || request.unfinished_parts == 0) {
      request.answered = true;
      finished.push_back(slice.request);
    }
  }
  return finished;
}

void QueueEngine::Succeed(const std::shared_ptr<Request>& request) {
  ClassifyResult result;
  result.results = MakeClassifications(*request, model_->manifest().temperature);
  result.backend = model_->groups()[request->group].name;
  result.times = request->times;
  metrics_.ObserveQueueWait(request->times.queue);
  for (const Classification& text : result.results) {
    const LabelScore& best = text.scores.front();
    metrics_.CountPrediction(static_cast<int>(request->group), best.label, static_cast<double>(best.score), text.tokens,
                             text.truncated);
  }
  Answer(*request, std::move(result));
  // After the answer, so that it cannot be late.
  if (router_.ChooseForShadow(request->group)) shadow_->Offer(request);
}

void QueueEngine::Fail(Request& request, const absl::Status& status) {
  // How long the refused waited counts as well: without them the series would look best when the server is worst.
  if (CodeOf(status) != ErrorCode::kInferenceFailed) metrics_.ObserveQueueWait(clock_.Now() - request.admitted);
  CountRefusal(status);
  Answer(request, status);
}

void QueueEngine::FailExpired(std::span<const std::shared_ptr<Request>> expired) {
  for (const auto& request : expired) {
    const Duration waited = clock_.Now() - request->admitted;
    Fail(*request, MakeError(ErrorCode::kDeadlinePassed,
                             Cat("the deadline passed after ", WholeMilliseconds(waited), " ms in the queue")));
  }
}

void QueueEngine::Answer(Request& request, absl::StatusOr<ClassifyResult> result) {
  request.done(std::move(result));
  request.done = nullptr;  // whatever it holds goes now, not when the last run that shares the request ends
  MutexLock lock(mutex_);
  if (--unanswered_ == 0) idle_.NotifyAll();
}

void QueueEngine::Withdraw(std::span<const std::shared_ptr<Request>> requests, int64_t waiting_tokens) {
  for (const auto& request : requests) request->answered = true;
  if (!requests.empty()) AddQueueTokens(-waiting_tokens);
}

void QueueEngine::AddQueueTokens(int64_t tokens) {
  queue_tokens_ += tokens;
  metrics_.SetQueue(queue_tokens_, options_.max_queue_tokens);
}

bool QueueEngine::Drain(Duration timeout) {
  const TimePoint end = AddSaturated(clock_.Now(), timeout);
  std::vector<std::shared_ptr<Request>> dropped;
  bool all_answered = false;
  {
    MutexLock lock(mutex_);
    draining_ = true;
    while (unanswered_ > 0 && !Expired(end, clock_.Now())) {
      if (end == TimePoint::max()) {
        idle_.Wait(mutex_);
      } else {
        idle_.WaitFor(mutex_, std::min(end - clock_.Now(), kDrainWakeUp));
      }
    }
    all_answered = unanswered_ == 0;
    for (Group& group : groups_) {
      const int64_t waiting = group.queue.tokens();
      const auto rest = group.queue.TakeAll();
      Withdraw(rest, waiting);
      dropped.insert(dropped.end(), rest.begin(), rest.end());
    }
  }
  for (const auto& request : dropped) {
    Fail(*request, MakeError(ErrorCode::kDraining, "the server shut down before the request's turn came"));
  }
  return all_answered;
}

EngineState QueueEngine::state() const {
  const TimePoint now = clock_.Now();
  MutexLock lock(mutex_);
  EngineState state = {.draining = draining_,
                       .queue_tokens = queue_tokens_,
                       .tokens_per_second = groups_.front().meter.tokens_per_second()};
  for (const std::optional<TimePoint>& since : running_since_) {
    state.stalled = state.stalled || (since.has_value() && now - *since > options_.stall_timeout);
  }
  return state;
}

}  // namespace ks
