#include "engine/engine.h"

#include <optional>
#include <utility>

#include "base/mutex.h"
#include "base/status_macros.h"
#include "engine/queue_engine.h"
#include "engine/served_model.h"

namespace ks {
namespace {

absl::Status CheckAtLeast(std::string_view name, int64_t value, std::string_view other_name, int64_t other) {
  if (value >= other) return absl::OkStatus();
  return InvalidArgument(name, " is ", value, ", less than ", other_name, ", ", other,
                         ": a legal request could never run");
}

absl::Status CheckOptions(const EngineOptions& options, int window) {
  KS_RETURN_IF_ERROR(
      CheckAtLeast("max-queue-tokens", options.max_queue_tokens, "max-batch-tokens", options.max_batch_tokens));
  KS_RETURN_IF_ERROR(CheckAtLeast("max-batch-tokens", options.max_batch_tokens, "the model's window", window));
  return CheckAtLeast("the tokens of a run", options.run_tokens, "the model's window", window);
}

}  // namespace

absl::Status CheckBackend(const BackendFacts& facts, const Manifest& manifest) {
  KS_RETURN_IF_ERROR(CheckAtLeast("max_tokens", facts.max_tokens, "the model's window", manifest.window));
  KS_RETURN_IF_ERROR(
      CheckAtLeast("max_tokens_per_sequence", facts.max_tokens_per_sequence, "the model's window", manifest.window));
  if (facts.classes != manifest.spec.num_labels()) {
    return InvalidArgument("classes: expected ", manifest.spec.num_labels(), " as the manifest has labels, found ",
                           facts.classes);
  }
  return absl::OkStatus();
}

namespace {

absl::Status CheckModel(const ServedModel& model) {
  const Manifest& manifest = model.manifest();
  if (manifest.window < 1) return InvalidArgument("manifest: window: expected at least 1, found ", manifest.window);
  if (!(manifest.temperature > 0)) {
    return InvalidArgument("manifest: temperature: expected more than 0, found ", manifest.temperature);
  }
  if (model.groups().empty()) return InvalidArgument("the model has no backend");
  for (const BackendGroup& group : model.groups()) {
    const std::string where = Cat("backend ", group.name);
    for (const auto& backend : group.workers) {
      KS_RETURN_IF_ERROR(WithContext(CheckBackend(backend->facts(), manifest), where));
    }
    if (group.shadow != nullptr) {
      KS_RETURN_IF_ERROR(WithContext(CheckBackend(group.shadow->facts(), manifest), where));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> Engine::Create(std::shared_ptr<const ServedModel> model,
                                                       const EngineOptions& options, ModelMetrics& metrics,
                                                       const Clock& clock) {
  KS_RETURN_IF_ERROR(CheckModel(*model));
  KS_RETURN_IF_ERROR(CheckRouting(model->groups(), options.routing));
  const int window = model->manifest().window;
  EngineOptions in_force = options;
  if (in_force.run_tokens == 0) in_force.run_tokens = DefaultRunTokens(window);
  KS_RETURN_IF_ERROR(CheckOptions(in_force, window));
  return std::make_unique<QueueEngine>(std::move(model), in_force, metrics, clock);
}

absl::Status Engine::AddWide(std::string_view group, std::unique_ptr<Backend>) {
  return MakeStatus(absl::StatusCode::kUnimplemented, Cat("wide: no backend ", group));
}

absl::StatusOr<ClassifyResult> Engine::Classify(std::span<const TextInput> inputs, const ClassifyOptions& options) {
  struct Answer {
    Mutex mutex;
    CondVar arrived;
    std::optional<absl::StatusOr<ClassifyResult>> result KS_GUARDED_BY(mutex);
  } answer;
  Submit(inputs, options, [&answer](absl::StatusOr<ClassifyResult> result) {
    MutexLock lock(answer.mutex);
    answer.result = std::move(result);
    answer.arrived.NotifyOne();  // under the lock: without it `answer` may be gone by now
  });
  MutexLock lock(answer.mutex);
  while (!answer.result.has_value()) answer.arrived.Wait(answer.mutex);
  return *std::move(answer.result);
}

}  // namespace ks
