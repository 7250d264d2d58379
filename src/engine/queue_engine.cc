// How it works: Submit tokenises on its caller's thread and then, in one step under the lock, admits the request whole
// or not at all. A worker takes what the scheduler gives it, answers what has expired, and runs without the lock. The last
// part of a request to finish answers it; the first run of it that fails answers it too. Whoever gets a request back from
// the scheduler, and nobody else, calls its `done`.
//
// Tested by engine_test.cc (results), admission_test.cc (refusals and deadlines) and engine_threads_test.cc.
#include "engine/queue_engine.h"

#include <algorithm>
#include <utility>

#include "base/cpu_time.h"
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

Scheduler MakeScheduler(const ServedModel& model, const EngineOptions& options) {
  std::vector<Scheduler::GroupLimits> groups;
  int least_run_tokens = 1;
  for (const BackendGroup& group : model.groups()) {
    RunLimits run = {.run_tokens = options.run_tokens};
    for (const auto& backend : group.workers) {
      least_run_tokens = std::max(least_run_tokens, backend->facts().least_run_tokens);
      run.run_tokens = std::min(run.run_tokens, backend->facts().max_tokens);
      run.pads = run.pads || backend->facts().pads;
    }
    groups.push_back({.run = run, .workers = static_cast<int>(group.workers.size())});
  }
  return Scheduler(groups,
                   {.max_queue_tokens = options.max_queue_tokens,
                    .longest_text = model.manifest().window,
                    .least_wide_tokens = options.least_wide_tokens,
                    .least_part_tokens = options.least_part_tokens > 0 ? options.least_part_tokens : least_run_tokens});
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
      router_(model_->groups(), options_.routing),
      scheduler_(MakeScheduler(*model_, options_)),
      groups_(model_->groups().size()) {
  for (size_t g = 0; g < model_->groups().size(); ++g) {
    const BackendGroup& group = model_->groups()[g];
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

Engine::Ticket QueueEngine::Submit(std::span<const TextInput> inputs, const ClassifyOptions& options, Done done) {
  absl::StatusOr<std::shared_ptr<Request>> request = Prepare(inputs, options);
  absl::Status status = request.status();
  if (status.ok()) {
    (*request)->done = std::move(done);
    status = Admit(*request);
    if (status.ok()) return *request;
    done = std::move((*request)->done);
  }
  CountRefusal(status);
  done(std::move(status));
  return {};
}

void QueueEngine::Cancel(const Ticket& ticket) {
  const std::shared_ptr<Request> request = ticket.lock();
  if (request == nullptr) return;
  {
    MutexLock lock(mutex_);
    if (!scheduler_.Cancel(*request)) return;
    ShowQueue();
  }
  Fail(*request, MakeError(ErrorCode::kAbandoned, "the client left while the request waited"));
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
  request->timeline = options.timeline;
  const TimePoint start = clock_.Now();
  request->deadline = DeadlineOf(options.deadline, start);
  {
    MutexLock lock(mutex_);
    KS_RETURN_IF_ERROR(scheduler_.CanAdmitAny(group, start, request->deadline));
  }

  const EncodeLimits limits = {.window = model_->manifest().window,
                               .max_tokens = options_.max_batch_tokens,
                               .type_ids = spec.encoder.type_vocab_size > 1};
  KS_ASSIGN_OR_RETURN(request->inputs, EncodeInputs(model_->tokenizer(), inputs, options.long_text, limits));
  request->unfinished_parts = request->inputs.parts();
  request->logits.resize(static_cast<size_t>(request->inputs.parts()) * spec.labels.size());
  request->part_runs.resize(static_cast<size_t>(request->inputs.parts()));
  const TimePoint end = clock_.Now();
  request->times.tokenize = end - start;
  if (request->timeline != nullptr) {
    request->timeline->backend = model_->groups()[group].name;
    request->timeline->tokenize_start = start;
    request->timeline->tokenize_end = end;
    request->timeline->tokens = request->inputs.tokens();
  }
  return request;
}

absl::Status QueueEngine::Admit(const std::shared_ptr<Request>& request) {
  const size_t group = request->group;
  {
    MutexLock lock(mutex_);
    const TimePoint now = clock_.Now();
    KS_RETURN_IF_ERROR(scheduler_.CanAdmit(group, request->inputs.tokens(), now, request->deadline));
    scheduler_.Admit(request, now);
    ++unanswered_;
    ShowQueue();
    const bool starts_at_once = groups_[group].idle_workers > 0 && scheduler_.HasWork(group);
    if (!starts_at_once) WakeTimer();
  }
  wake_[group].NotifyOne();  // whoever takes less than all wakes the next
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
    for (size_t group = 0; group < groups_.size(); ++group) {  // the request may be for any of them
      status = scheduler_.CanAdmitAny(group, now, DeadlineOf(deadline, now));
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
    case ErrorCode::kAbandoned:
      return metrics_.CountRejected(RejectReason::kAbandoned);
    default:
      return;  // the caller's mistakes and our failures are no refusals
  }
}

void QueueEngine::Work(size_t worker) {
  while (const std::optional<Step> step = NextStep(worker)) {
    FailExpired(step->expired);
    if (step->backend != nullptr) Execute(worker, *step);
  }
}

std::optional<QueueEngine::Step> QueueEngine::NextStep(size_t worker) {
  const size_t index = workers_[worker]->group;
  MutexLock lock(mutex_);
  Group& group = groups_[index];
  ++group.idle_workers;
  while (!scheduler_.HasWork(index) && !stopping_) wake_[index].Wait(mutex_);
  --group.idle_workers;
  if (!scheduler_.HasWork(index)) return std::nullopt;

  const TimePoint now = clock_.Now();
  Step step;
  step.expired = scheduler_.TakeExpired(now);
  if (scheduler_.HasWork(index)) {
    step.run = scheduler_.Start(index, now);
    step.backend = step.run.wide ? group.wide.get() : workers_[worker]->backend;
    running_since_[worker] = now;
  }
  ShowQueue();
  WakeTimer();
  if (scheduler_.HasWork(index)) wake_[index].NotifyOne();
  return step;
}

void QueueEngine::WatchDeadlines() {
  while (const auto expired = NextExpired()) FailExpired(*expired);
}

std::optional<std::vector<std::shared_ptr<Request>>> QueueEngine::NextExpired() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    const TimePoint now = clock_.Now();
    if (auto expired = scheduler_.TakeExpired(now); !expired.empty()) {
      ShowQueue();
      return expired;
    }
    const TimePoint next = scheduler_.first_deadline();
    timer_wakes_at_ = next;
    if (next == TimePoint::max()) {
      timer_wake_.Wait(mutex_);
    } else {
      timer_wake_.WaitFor(mutex_, std::min(next - now, kTimerWakeUp));
    }
  }
  return std::nullopt;
}

void QueueEngine::WakeTimer() {
  const TimePoint first = scheduler_.first_deadline();
  if (first >= timer_wakes_at_) return;
  timer_wakes_at_ = first;
  timer_wake_.NotifyOne();
}

void QueueEngine::Execute(size_t worker, const Step& step) {
  Worker& self = *workers_[worker];
  const PackedBatch batch = self.buffers.Pack(step.run.slices);
  const TimePoint start = clock_.Now();
  const Duration cpu_before = ThreadCpuTime();
  const absl::StatusOr<Logits> logits = step.backend->Run(batch);
  const Duration cpu = ThreadCpuTime() - cpu_before;
  const TimePoint end = clock_.Now();
  const Duration duration = end - start;
  metrics_.ObserveRun(static_cast<int>(self.group), duration, batch.sequences(), batch.tokens(), step.run.wide);

  absl::Status status = logits.status();
  if (status.ok()) status = Scatter(*logits, model_->spec().num_labels(), step.run.slices);
  for (const RunSlice& slice : step.run.slices) {
    const auto first = slice.request->part_runs.begin() + slice.first_part;
    std::fill_n(first, slice.parts, PartRun{duration, false});
    first->first_of_slice = true;
  }
  for (const auto& request :
       FinishRun(worker, step.run, {duration, cpu, end, step.backend->facts().threads}, status.ok())) {
    if (status.ok()) {
      Succeed(request);
    } else {
      Fail(*request, MakeError(ErrorCode::kInferenceFailed, Cat("inference failed: ", ToStd(status.message()))));
    }
  }
}

std::vector<std::shared_ptr<Request>> QueueEngine::FinishRun(size_t worker, const Scheduler::Run& run,
                                                             const Scheduler::RunTime& time, bool ok) {
  MutexLock lock(mutex_);
  running_since_[worker].reset();
  auto finished = scheduler_.Finish(workers_[worker]->group, run, time, ok);
  ShowQueue();
  for (size_t g = 0; run.wide && g < groups_.size(); ++g) {
    if (scheduler_.HasWork(g)) wake_[g].NotifyOne();
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

// The answer gets the error itself: the last owner of a shared one would let go on either thread.
void QueueEngine::Fail(Request& request, absl::Status status) {
  // How long the refused waited counts as well: without them the series would look best when the server is worst.
  if (CodeOf(status) != ErrorCode::kInferenceFailed) {
    const TimePoint now = clock_.Now();
    metrics_.ObserveQueueWait(now - request.admitted);
    if (request.timeline != nullptr) request.timeline->unqueued = now;
  }
  CountRefusal(status);
  Answer(request, std::move(status));
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

bool QueueEngine::Drain(Duration timeout) {
  const TimePoint end = AddSaturated(clock_.Now(), timeout);
  std::vector<std::shared_ptr<Request>> dropped;
  bool all_answered = false;
  {
    MutexLock lock(mutex_);
    scheduler_.BeginDrain();
    while (unanswered_ > 0 && !Expired(end, clock_.Now())) {
      if (end == TimePoint::max()) {
        idle_.Wait(mutex_);
      } else {
        idle_.WaitFor(mutex_, std::min(end - clock_.Now(), kDrainWakeUp));
      }
    }
    all_answered = unanswered_ == 0;
    dropped = scheduler_.TakeAll();
    ShowQueue();
  }
  for (const auto& request : dropped) {
    Fail(*request, MakeError(ErrorCode::kDraining, "the server shut down before the request's turn came"));
  }
  return all_answered;
}

absl::Status QueueEngine::AddWide(std::string_view name, std::unique_ptr<Backend> wide) {
  KS_RETURN_IF_ERROR(WithContext(CheckBackend(wide->facts(), model_->manifest()), Cat("backend ", name, ", wide")));
  const auto is_it = [&](const BackendGroup& group) { return group.name == name; };
  const auto found = std::ranges::find_if(model_->groups(), is_it);
  if (found == model_->groups().end()) return InvalidArgument("wide: the model has no backend ", name);
  if (found->workers.empty()) return InvalidArgument("wide: backend ", name, " answers nothing, it only shadows");
  MutexLock lock(mutex_);
  const auto index = static_cast<size_t>(found - model_->groups().begin());
  Group& group = groups_[index];
  if (group.wide != nullptr) return InvalidArgument("wide: backend ", name, " has one already");
  if (wide->facts().max_tokens < scheduler_.queue(index).limits().run_tokens) {
    return InvalidArgument("wide: backend ", name, ": max_tokens: expected at least ",
                           scheduler_.queue(index).limits().run_tokens, " as the workers run, found ",
                           wide->facts().max_tokens);
  }
  group.wide = std::move(wide);
  scheduler_.SetHasWide(index);
  return absl::OkStatus();
}

EngineState QueueEngine::state() const {
  const TimePoint now = clock_.Now();
  MutexLock lock(mutex_);
  EngineState state = {.draining = scheduler_.draining(),
                       .queue_tokens = scheduler_.queue_tokens(),
                       .tokens_per_second = scheduler_.tokens_per_second(0)};
  for (const std::optional<TimePoint>& since : running_since_) {
    state.stalled = state.stalled || (since.has_value() && now - *since > options_.stall_timeout);
  }
  return state;
}

}  // namespace ks
