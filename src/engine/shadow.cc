// Tested by shadow_test.cc, and in the engine by shadow_engine_test.cc.
#include "engine/shadow.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/status_macros.h"
#include "engine/served_model.h"

namespace ks {
namespace {

std::vector<float> ScoresByLabel(const Classification& text) {
  std::vector<float> scores(text.scores.size());
  for (const LabelScore& score : text.scores) scores[static_cast<size_t>(score.label)] = score.score;
  return scores;
}

// The longest slice of the request from `first_part` on that one run may hold: a plan for this request alone, which
// holds at least a part, since no part is longer than a run.
RunSlice NextSlice(const std::shared_ptr<Request>& request, int first_part, const RunLimits& limits) {
  const std::span<const int> part_tokens = request->inputs.part_tokens;
  const WaitingRequest left = {TimePoint::max(), part_tokens.subspan(static_cast<size_t>(first_part))};
  const RunPlan plan = PlanRun({.short_lane = {&left, 1}, .bulk_lane = {}}, TimePoint::min(), limits);
  return {request, first_part, plan.takes.front().parts};
}

}  // namespace

ShadowDifference Difference(const Classification& first, const Classification& second) {
  const std::vector<float> a = ScoresByLabel(first), b = ScoresByLabel(second);
  ShadowDifference difference;
  difference.same_label = first.scores.front().label == second.scores.front().label;
  const auto label = static_cast<size_t>(first.scores.front().label);
  difference.score = std::abs(static_cast<double>(a[label]) - static_cast<double>(b[label]));
  for (size_t i = 0; i < a.size(); ++i) {
    difference.largest = std::max(difference.largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return difference;
}

Shadow::Shadow(Backend& backend, const RunLimits& limits, int64_t max_queue_tokens, ModelMetrics& metrics)
    : backend_(backend), limits_(limits), max_queue_tokens_(max_queue_tokens), metrics_(metrics) {
  thread_ = std::make_unique<Thread>("shadow", [this] { Work(); });
}

Shadow::~Shadow() {
  stopping_ = true;
  Wake();
  thread_->Join();
  TakeAll();
}

void Shadow::Offer(std::shared_ptr<Request> request) {
  const int64_t tokens = request->inputs.tokens();
  if (tokens_.fetch_add(tokens) + tokens > max_queue_tokens_) {
    tokens_ -= tokens;
    metrics_.CountShadow(ShadowOutcome::kDropped, static_cast<int>(request->inputs.texts.size()));
    return;
  }
  auto* waiting = new Waiting{std::move(request), newest_.load(std::memory_order_relaxed)};
  while (!newest_.compare_exchange_weak(waiting->next, waiting, std::memory_order_release)) continue;
  Wake();
}

void Shadow::Wake() {
  ++wake_ups_;
  wake_ups_.notify_one();
}

std::vector<std::shared_ptr<Request>> Shadow::TakeAll() {
  std::vector<std::shared_ptr<Request>> requests;
  for (Waiting* waiting = newest_.exchange(nullptr, std::memory_order_acquire); waiting != nullptr;) {
    const std::unique_ptr<Waiting> taken(waiting);
    requests.push_back(std::move(taken->request));
    waiting = taken->next;
  }
  std::ranges::reverse(requests);
  return requests;
}

void Shadow::Work() {
  RunOnlyWhenIdle();
  while (!stopping_) {
    const int seen = wake_ups_;
    std::vector<std::shared_ptr<Request>> requests = TakeAll();
    if (requests.empty()) wake_ups_.wait(seen);
    for (std::shared_ptr<Request>& request : requests) {
      Compare(request);
      tokens_ -= request->inputs.tokens();
      request = nullptr;
    }
  }
}

void Shadow::Compare(const std::shared_ptr<Request>& request) {
  const absl::StatusOr<std::vector<float>> logits = Run(request);
  if (!logits.ok()) {
    if (absl::IsCancelled(logits.status())) return;
    metrics_.CountShadow(ShadowOutcome::kFailed, static_cast<int>(request->inputs.texts.size()));
    return;
  }
  // With the model's own activation and all scores, whatever the request asked for: what is counted should not depend
  // on who asks.
  const Manifest& manifest = request->model->manifest();
  const auto classify = [&](std::span<const float> of) {
    return MakeClassifications(request->inputs, of, manifest.spec.activation, 0, manifest.temperature);
  };
  const std::vector<Classification> first = classify(request->logits), second = classify(*logits);
  for (size_t i = 0; i < first.size(); ++i) metrics_.ObserveShadow(Difference(first[i], second[i]));
  metrics_.CountShadow(ShadowOutcome::kCompared, static_cast<int>(first.size()));
}

absl::StatusOr<std::vector<float>> Shadow::Run(const std::shared_ptr<Request>& request) {
  std::vector<float> all;
  all.reserve(request->logits.size());
  for (int part = 0; part < request->inputs.parts();) {
    if (stopping_) return absl::CancelledError();
    const RunSlice slice = NextSlice(request, part, limits_);
    KS_ASSIGN_OR_RETURN(const Logits logits, backend_.Run(buffers_.Pack({&slice, 1})));
    KS_RETURN_IF_ERROR(CheckLogits(logits, slice.parts, request->model->spec().num_labels()));
    all.insert(all.end(), logits.values.begin(), logits.values.end());
    part += slice.parts;
  }
  return all;
}

}  // namespace ks
