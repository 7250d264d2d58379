// What every protocol stands on: the engine, the limits on a text, readiness, the memory for feedback. Knows no
// protocol.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "engine/engine.h"
#include "serving/model_description.h"
#include "serving/prediction_store.h"
#include "telemetry/metrics.h"

namespace ks {

struct ServiceOptions {
  int max_text_chars = 10000;
  int max_batch_texts = 1000;
  size_t remembered_predictions = 65536;
};

// What a client says of a prediction. The last three come together or not at all.
struct Feedback {
  std::string prediction_id;
  std::string corrected_label;
  std::optional<std::string> predicted_label = std::nullopt;
  std::optional<std::string> model = std::nullopt;
  std::optional<std::string> backend = std::nullopt;
};

struct FeedbackOutcome {
  bool counted = false;  // false: there was feedback for this prediction before
  bool agreed = false;   // the corrected label is the predicted one
};

// All methods are safe from any thread.
class Service {
 public:
  // All references must outlive the service. `engine` runs the model that `description` tells of, `metrics` holds its
  // series, `clock` is the engine's. Not ready until SetReady.
  Service(Engine& engine, ModelMetrics& metrics, ModelDescription description, const ServiceOptions& options,
          const Clock& clock);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  const ModelDescription& model() const { return model_; }
  const ServiceOptions& options() const { return options_; }
  const EngineOptions& engine_options() const { return engine_.options(); }
  EngineState engine_state() const { return engine_.state(); }
  TimePoint Now() const { return clock_.Now(); }
  Duration Uptime() const { return clock_.Now() - started_; }

  // --- Readiness ---
  // The model is warm: requests may come.
  void SetReady() { ready_ = true; }
  // For good, with the reason for the probe: the package turned out damaged.
  void SetUnready(std::string reason);
  // From now on not ready; requests are still taken until the engine drains.
  void BeginDrain() { draining_ = true; }
  bool draining() const { return draining_; }
  // OK, or why a load balancer should look elsewhere: kDraining, kModelNotLoaded.
  absl::Status Ready() const;
  // OK, or kModelNotLoaded naming the stalled worker: a restart would help.
  absl::Status Live() const;
  // Sets the series that time alone changes. Before each scrape.
  void UpdateMetrics() { metrics_.SetStalled(engine_.state().stalled); }

  // --- Warnings ---
  // Something about the settings that an operator should change: for /model-info, from now on.
  void AddWarning(std::string warning);
  // In the order in which they came.
  std::vector<std::string> warnings() const;

  // --- Predictions ---
  // Engine::Precheck, or kModelNotLoaded. Once for each request: the engine counts what it refuses.
  absl::Status Precheck(TimePoint deadline) const;
  // kUnsupportedBackend naming those that a request may name where `backend` is another.
  absl::Status CheckBackend(std::string_view backend) const;
  // Engine::Submit; the texts are checked before, by CheckText.
  Engine::Ticket Classify(std::span<const TextInput> inputs, const ClassifyOptions& options, Engine::Done done) {
    return engine_.Submit(inputs, options, std::move(done));
  }
  void Cancel(const Engine::Ticket& ticket) { engine_.Cancel(ticket); }
  // A new id for an answered text, remembered for feedback.
  std::string RememberPrediction(const Classification& result, std::string_view backend);
  // Counts a request that a limit on its size refused.
  void CountTooLarge() { metrics_.CountRejected(RejectReason::kTooLarge); }

  // --- Feedback ---
  // Counts it in ml_feedback_total and ml_prediction_accuracy_score, once for each prediction.
  // Errors, by CodeOf: kInvalidInput (not a UUID, a name that is not served, or only some of the last three; the
  // message names the field), kUnknownPrediction (not remembered, and without the last three).
  absl::StatusOr<FeedbackOutcome> AddFeedback(const Feedback& feedback);

 private:
  Engine& engine_;
  ModelMetrics& metrics_;
  const ModelDescription model_;
  const ServiceOptions options_;
  const Clock& clock_;
  const TimePoint started_;
  PredictionStore predictions_;
  std::atomic<bool> ready_{false};
  std::atomic<bool> draining_{false};
  mutable Mutex mutex_;
  std::string unready_reason_ KS_GUARDED_BY(mutex_);
  std::vector<std::string> warnings_ KS_GUARDED_BY(mutex_);
};

}  // namespace ks
