// Like the LineWriter, two batches that swap roles: one collects spans while the thread sends the other. Tested by
// exporter_test.cc.
#include "telemetry/trace/exporter.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace ks {
namespace {

constexpr Duration kFirstPause = std::chrono::seconds(1);
constexpr Duration kLastPause = std::chrono::seconds(8);
// The longest sleep of real time while something is to be done later.
constexpr Duration kLongestSleep = std::chrono::hours(1);

bool IsWorthAnotherTry(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

}  // namespace

SpanExporter::SpanExporter(Send send, Options options, Log& log, const Clock& clock)
    : send_(std::move(send)), options_(options), log_(log), clock_(clock), thread_("traces", [this] { Run(); }) {}

SpanExporter::~SpanExporter() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    give_up_ = clock_.Now() + options_.flush_limit;
  }
  changed_.NotifyAll();
  thread_.Join();
}

void SpanExporter::Add(std::string_view spans, int count) {
  bool wake = false;
  {
    MutexLock lock(mutex_);
    if (waiting_.spans.size() + spans.size() > options_.max_queue_bytes) {
      dropped_ += count;
      return;
    }
    const TimePoint now = clock_.Now();
    const bool is_first = waiting_.count == 0;
    if (is_first) due_ = now + options_.batch_interval;
    const bool was_half_full = IsHalfFull();
    waiting_.spans.append(spans);
    waiting_.count += count;
    // Rarely: a thread woken for every request would cost more than the spans.
    wake = is_first || (IsHalfFull() && !was_half_full) || now >= sleeps_until_;
  }
  if (wake) changed_.NotifyOne();
}

int64_t SpanExporter::exported() const {
  MutexLock lock(mutex_);
  return exported_;
}

int64_t SpanExporter::dropped() const {
  MutexLock lock(mutex_);
  return dropped_;
}

void SpanExporter::Run() {
  for (Batch batch; Take(batch);) {
    Deliver(batch);
    batch.spans.clear();  // and keeps its room
    batch.count = 0;
  }
}

bool SpanExporter::IsDue() const {
  if (waiting_.count == 0) return false;
  return stopping_ || IsHalfFull() || clock_.Now() >= due_;
}

bool SpanExporter::Take(Batch& batch) {
  MutexLock lock(mutex_);
  while (!IsDue() && !stopping_) Sleep(waiting_.count == 0 ? TimePoint::max() : due_);
  std::swap(batch, waiting_);
  return batch.count > 0;
}

void SpanExporter::Sleep(TimePoint time) {
  sleeps_until_ = time;
  if (time == TimePoint::max()) {
    changed_.Wait(mutex_);
  } else if (const Duration left = time - clock_.Now(); left > Duration::zero()) {
    changed_.WaitFor(mutex_, std::min(left, kLongestSleep));
  }
  sleeps_until_ = TimePoint::max();
}

void SpanExporter::WaitUntil(TimePoint time) {
  MutexLock lock(mutex_);
  while (!stopping_ && clock_.Now() < time) Sleep(time);
}

void SpanExporter::Deliver(const Batch& batch) {
  for (Duration pause = kFirstPause;; pause *= 2) {
    Duration limit = options_.send_timeout;
    bool is_last = pause > kLastPause;
    {
      MutexLock lock(mutex_);
      is_last = is_last || stopping_;
      if (stopping_) limit = std::min(limit, give_up_ - clock_.Now());
    }
    const absl::Status sent =
        limit > Duration::zero() ? send_(batch.spans, limit) : absl::DeadlineExceededError("no time left to send them");
    LogChange(sent);
    if (sent.ok() || is_last || !IsWorthAnotherTry(sent)) {
      MutexLock lock(mutex_);
      (sent.ok() ? exported_ : dropped_) += batch.count;
      return;
    }
    WaitUntil(clock_.Now() + pause);
  }
}

void SpanExporter::LogChange(const absl::Status& sent) {
  if (failing_ != sent.ok()) return;
  failing_ = !sent.ok();
  if (failing_) {
    log_.Warning("traces are not taken", {{"cause", ToStd(sent.message())}});
  } else {
    log_.Info("traces are taken again", {{"dropped", dropped()}});
  }
}

}  // namespace ks
