// Runs answered requests once more through a second backend and counts where the two disagree. Inside the engine only.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/backend.h"
#include "base/thread.h"
#include "engine/batch_policy.h"
#include "engine/pack.h"
#include "engine/request.h"
#include "telemetry/metrics.h"

namespace ks {

// How far a second answer to the same text is from the first. Both with all scores.
ShadowDifference Difference(const Classification& first, const Classification& second);

// One thread of its own, "shadow", which runs only while nobody else wants its core, and a queue that is bounded in
// tokens and drops what does not fit.
//
// It never stands in the way of an answer. Requests come after they are answered; the queue has no lock, because
// whoever waited for a lock that a thread at idle priority holds would wait as long as the machine is busy; and it
// touches only those metrics that need no lock either. `backend` is its own, opened apart from those that answer.
class Shadow {
 public:
  // Runs hold at most `limits`; up to `max_queue_tokens` wait or run, a request with more than that never does. All
  // references must outlive this object.
  Shadow(Backend& backend, const RunLimits& limits, int64_t max_queue_tokens, ModelMetrics& metrics);
  // Waits for the run under way, if there is one; what waits is dropped.
  ~Shadow();
  Shadow(const Shadow&) = delete;
  Shadow& operator=(const Shadow&) = delete;

  // Takes a request that was answered, of which nothing changes any more, or counts it as dropped. From any thread; a
  // few atomic operations.
  void Offer(std::shared_ptr<Request> request);

 private:
  struct Waiting {
    std::shared_ptr<Request> request;
    Waiting* next;
  };

  void Work();
  void Wake();
  // Everything that waits, oldest first.
  std::vector<std::shared_ptr<Request>> TakeAll();
  void Compare(const std::shared_ptr<Request>& request);
  // float32 [P, C]; stops between two runs when the object goes (kCancelled).
  absl::StatusOr<std::vector<float>> Run(const std::shared_ptr<Request>& request);

  Backend& backend_;
  const RunLimits limits_;
  const int64_t max_queue_tokens_;
  ModelMetrics& metrics_;
  PackBuffers buffers_;  // the thread's

  std::atomic<Waiting*> newest_{nullptr};  // a stack: pushed one by one, taken all at once
  std::atomic<int64_t> tokens_{0};         // waiting or running
  std::atomic<int> wake_ups_{0};
  std::atomic<bool> stopping_{false};
  std::unique_ptr<Thread> thread_;  // last: it uses everything above
};

}  // namespace ks
