// An engine without a model, for the tests of what stands above it.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "base/utf8.h"
#include "engine/engine.h"
#include "engine/error.h"
#include "engine/request.h"

namespace ks {

// Answers at once on the calling thread, unless told to hold answers back. Each text gets the label 2 with 0.7 (then 1
// with 0.2 and 0 with 0.1), and as many tokens as code points.
class FakeEngine final : public Engine {
 public:
  Ticket Submit(std::span<const TextInput> inputs, const ClassifyOptions& options, Done done) override {
    MutexLock lock(mutex_);
    ++submitted_;
    last_options_ = options;
    last_texts_.clear();
    last_pairs_.clear();
    absl::StatusOr<ClassifyResult> result = Answer(inputs, options);
    if (!failure_.ok()) result = failure_;
    for (const TextInput& input : inputs) {
      last_texts_.emplace_back(input.text);
      if (input.pair.has_value()) last_pairs_.emplace_back(*input.pair);
    }
    if (!holding_) {
      done(std::move(result));
      return {};
    }
    auto request = std::make_shared<Request>();
    held_.push_back({request, std::move(done), std::move(result)});
    return request;
  }
  void Cancel(const Ticket& ticket) override {
    const auto request = ticket.lock();
    std::vector<Held> cancelled;
    {
      MutexLock lock(mutex_);
      const auto is_other = [&](const Held& held) { return held.request != request; };
      const auto found = std::partition(held_.begin(), held_.end(), is_other);
      std::move(found, held_.end(), std::back_inserter(cancelled));
      held_.erase(found, held_.end());
    }
    for (const Held& held : cancelled) held.done(MakeError(ErrorCode::kAbandoned, "left"));
  }

  absl::Status Precheck(TimePoint deadline) const override {
    MutexLock lock(mutex_);
    last_deadline_ = deadline;
    return precheck_;
  }
  bool Drain(Duration) override { return true; }
  EngineState state() const override {
    MutexLock lock(mutex_);
    return state_;
  }
  // Tests describe the model themselves.
  const ServedModel& model() const override { std::abort(); }
  const EngineOptions& options() const override { return options_; }

  // --- For tests ---
  void FailWith(absl::Status status) {
    MutexLock lock(mutex_);
    failure_ = std::move(status);
  }
  void RefuseWith(absl::Status status) {
    MutexLock lock(mutex_);
    precheck_ = std::move(status);
  }
  void SetState(const EngineState& state) {
    MutexLock lock(mutex_);
    state_ = state;
  }
  void Hold() {
    MutexLock lock(mutex_);
    holding_ = true;
  }
  int held() const {
    MutexLock lock(mutex_);
    return static_cast<int>(held_.size());
  }
  // Gives the answers held back, on the calling thread; later ones come at once again.
  void Release() {
    std::vector<Held> held;
    {
      MutexLock lock(mutex_);
      holding_ = false;
      held.swap(held_);
    }
    for (const Held& answer : held) answer.done(answer.result);
  }
  int submitted() const {
    MutexLock lock(mutex_);
    return submitted_;
  }
  std::vector<std::string> last_texts() const {
    MutexLock lock(mutex_);
    return last_texts_;
  }
  std::vector<std::string> last_pairs() const {
    MutexLock lock(mutex_);
    return last_pairs_;
  }
  ClassifyOptions last_options() const {
    MutexLock lock(mutex_);
    return last_options_;
  }
  TimePoint last_deadline() const {
    MutexLock lock(mutex_);
    return last_deadline_;
  }

 private:
  struct Held {
    std::shared_ptr<Request> request;
    Done done;
    absl::StatusOr<ClassifyResult> result;
  };

  static ClassifyResult Answer(std::span<const TextInput> inputs, const ClassifyOptions& options) {
    ClassifyResult result;
    result.backend = options.backend.empty() ? "onnx" : options.backend;
    result.times = {std::chrono::microseconds(15), std::chrono::microseconds(250), std::chrono::microseconds(1840)};
    for (const TextInput& input : inputs) {
      Classification& one = result.results.emplace_back();
      one.scores = {{2, 0.7f}, {1, 0.2f}, {0, 0.1f}};
      if (options.top_k > 0) one.scores.resize(static_cast<size_t>(options.top_k));
      one.logits = {-1.0f, 0.5f, 2.0f};
      one.tokens = static_cast<int>(CountCodePoints(input.text));
      one.truncated = one.tokens > 256;
      one.infer = std::chrono::microseconds(1840 * static_cast<int64_t>(result.results.size()));
    }
    return result;
  }

  const EngineOptions options_;
  mutable Mutex mutex_;
  absl::Status failure_ KS_GUARDED_BY(mutex_);
  absl::Status precheck_ KS_GUARDED_BY(mutex_);
  EngineState state_ KS_GUARDED_BY(mutex_);
  bool holding_ KS_GUARDED_BY(mutex_) = false;
  std::vector<Held> held_ KS_GUARDED_BY(mutex_);
  int submitted_ KS_GUARDED_BY(mutex_) = 0;
  std::vector<std::string> last_texts_ KS_GUARDED_BY(mutex_);
  std::vector<std::string> last_pairs_ KS_GUARDED_BY(mutex_);
  ClassifyOptions last_options_ KS_GUARDED_BY(mutex_);
  mutable TimePoint last_deadline_ KS_GUARDED_BY(mutex_);
};

}  // namespace ks
