// Brings finished spans to a collector from a thread of its own, so that no request ever waits for one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "telemetry/log.h"

namespace ks {

// A queue bounded in bytes and the thread `traces` that empties it, a batch at a time. What does not fit is dropped and
// counted. A batch that nobody takes is tried again after 1, 2, 4 and 8 seconds, then dropped and counted; the log has one
// line when that begins, and one when the collector is back.
class SpanExporter {
 public:
  struct Options {
    size_t max_queue_bytes = size_t{1} << 20;  // waiting, beside as many that are being sent
    Duration batch_interval =
        std::chrono::seconds(1);                      // spans wait so long for others, or until half the queue is full
    Duration send_timeout = std::chrono::seconds(3);  // of one try
    Duration flush_limit = std::chrono::seconds(3);   // of the destructor; at least send_timeout
  };
  // Sends one batch of `spans` (see AppendSpan) within `timeout`. kUnavailable and kDeadlineExceeded are tried again, after
  // any other error the batch is dropped.
  using Send = std::function<absl::Status(std::string_view spans, Duration timeout)>;

  // `log` and `clock` must outlive the exporter.
  SpanExporter(Send send, Options options, Log& log, const Clock& clock);
  // Sends what waits, each batch once, for at most flush_limit, and joins the thread.
  ~SpanExporter();
  SpanExporter(const SpanExporter&) = delete;
  SpanExporter& operator=(const SpanExporter&) = delete;

  // Queues `count` spans, all or none. Safe from any thread; never waits for the collector.
  void Add(std::string_view spans, int count) KS_EXCLUDES(mutex_);

  // Spans over the exporter's life: taken by the collector, and lost for lack of room or of a collector.
  int64_t exported() const KS_EXCLUDES(mutex_);
  int64_t dropped() const KS_EXCLUDES(mutex_);

 private:
  struct Batch {
    std::string spans;
    int64_t count = 0;
  };

  void Run() KS_EXCLUDES(mutex_);
  // Waits until a batch is due and moves it to `batch`; false when there is none left and it is time to stop.
  bool Take(Batch& batch) KS_EXCLUDES(mutex_);
  void Deliver(const Batch& batch) KS_EXCLUDES(mutex_);
  void LogChange(const absl::Status& sent) KS_EXCLUDES(mutex_);
  // Returns at `time`, or when it is time to stop.
  void WaitUntil(TimePoint time) KS_EXCLUDES(mutex_);
  // Returns at `time` or before.
  void Sleep(TimePoint time) KS_REQUIRES(mutex_);
  bool IsDue() const KS_REQUIRES(mutex_);
  bool IsHalfFull() const KS_REQUIRES(mutex_) { return waiting_.spans.size() >= options_.max_queue_bytes / 2; }

  const Send send_;
  const Options options_;
  Log& log_;
  const Clock& clock_;
  bool failing_ = false;  // the thread's
  mutable Mutex mutex_;
  CondVar changed_;
  Batch waiting_ KS_GUARDED_BY(mutex_);
  TimePoint due_ KS_GUARDED_BY(mutex_);                              // of what waits, where something does
  TimePoint sleeps_until_ KS_GUARDED_BY(mutex_) = TimePoint::max();  // the thread; max() where it does not, or for good
  int64_t exported_ KS_GUARDED_BY(mutex_) = 0;
  int64_t dropped_ KS_GUARDED_BY(mutex_) = 0;
  bool stopping_ KS_GUARDED_BY(mutex_) = false;
  TimePoint give_up_ KS_GUARDED_BY(mutex_) = TimePoint::max();
  Thread thread_;  // last: it runs on all of the above
};

}  // namespace ks
