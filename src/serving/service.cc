// Tested by service_test.cc.
#include "serving/service.h"

#include <utility>

#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "engine/error.h"

namespace ks {

Service::Service(Engine& engine, ModelMetrics& metrics, ModelDescription description, const ServiceOptions& options,
                 const Clock& clock)
    : engine_(engine),
      metrics_(metrics),
      model_(std::move(description)),
      options_(options),
      clock_(clock),
      started_(clock.Now()),
      predictions_(options_.remembered_predictions) {}

void Service::SetUnready(std::string reason) {
  MutexLock lock(mutex_);
  unready_reason_ = std::move(reason);
}

void Service::AddWarning(std::string warning) {
  MutexLock lock(mutex_);
  warnings_.push_back(std::move(warning));
}

std::vector<std::string> Service::warnings() const {
  MutexLock lock(mutex_);
  return warnings_;
}

absl::Status Service::Ready() const {
  if (draining_) return MakeError(ErrorCode::kDraining, "the server is draining");
  if (!ready_) return MakeError(ErrorCode::kModelNotLoaded, "the model is not loaded yet");
  {
    MutexLock lock(mutex_);
    if (!unready_reason_.empty()) return MakeError(ErrorCode::kModelNotLoaded, unready_reason_);
  }
  return Live();
}

absl::Status Service::Live() const {
  if (!engine_.state().stalled) return absl::OkStatus();
  return MakeError(ErrorCode::kModelNotLoaded, Cat("a worker has been inside one run for longer than ",
                                                   Seconds(engine_.options().stall_timeout), " s (stall-timeout)"));
}

absl::Status Service::Precheck(TimePoint deadline) const {
  if (!ready_) return MakeError(ErrorCode::kModelNotLoaded, "the model is not loaded yet");
  return engine_.Precheck(deadline);
}

absl::Status Service::CheckBackend(std::string_view backend) const {
  if (IndexOf(model_.allowed, backend).has_value()) return absl::OkStatus();
  return MakeError(
      ErrorCode::kUnsupportedBackend,
      Cat("backend: a request may name ", absl::StrJoin(model_.allowed, ", "), " alone (allowed-backends)"));
}

std::string Service::RememberPrediction(const Classification& result, std::string_view backend) {
  std::string id = NewUuid4();
  const int label = result.scores.empty() ? 0 : result.scores.front().label;
  predictions_.Remember(id, {label, IndexOf(model_.backends, backend).value_or(0)});
  return id;
}

absl::StatusOr<FeedbackOutcome> Service::AddFeedback(const Feedback& feedback) {
  const auto index = [](std::string_view field, const std::vector<std::string>& names,
                        std::string_view name) -> absl::StatusOr<int> {
    if (const std::optional<int> found = IndexOf(names, name)) return *found;
    return MakeError(ErrorCode::kInvalidInput, Cat(field, ": expected one of ", absl::StrJoin(names, ", "),
                                                   ", found another string of ", name.size(), " bytes"));
  };
  if (!IsUuid(feedback.prediction_id)) {
    return MakeError(ErrorCode::kInvalidInput, Cat("prediction_id: expected a UUID, found a string of ",
                                                   feedback.prediction_id.size(), " bytes"));
  }
  KS_ASSIGN_OR_RETURN(const int corrected, index("corrected_label", model_.labels, feedback.corrected_label));
  std::optional<RememberedPrediction> claimed;
  const int given = feedback.predicted_label.has_value() + feedback.model.has_value() + feedback.backend.has_value();
  if (given == 3) {
    KS_ASSIGN_OR_RETURN(const int label, index("predicted_label", model_.labels, *feedback.predicted_label));
    KS_RETURN_IF_ERROR(index("model", {model_.name}, *feedback.model).status());
    KS_RETURN_IF_ERROR(index("backend", model_.answering, *feedback.backend).status());
    claimed = {label, IndexOf(model_.backends, *feedback.backend).value_or(0)};
  } else if (given != 0) {
    return MakeError(ErrorCode::kInvalidInput,
                     "predicted_label, model and backend come together or not at all; some are missing");
  }
  const PredictionStore::Outcome outcome = predictions_.Mark(feedback.prediction_id, claimed);
  if (outcome.verdict == PredictionStore::Verdict::kUnknown) {
    return MakeError(ErrorCode::kUnknownPrediction,
                     "prediction_id: not among the predictions this process remembers; send predicted_label, model and "
                     "backend with it");
  }
  const bool agreed = outcome.prediction.label == corrected;
  const bool counted = outcome.verdict == PredictionStore::Verdict::kFirst;
  if (counted) metrics_.CountFeedback(outcome.prediction.backend, agreed);
  return FeedbackOutcome{counted, agreed};
}

}  // namespace ks
