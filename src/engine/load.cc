#include "engine/load.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_join.h"
#include "base/cpu.h"
#include "base/status_macros.h"
#include "engine/engine.h"
#include "engine/self_check.h"

namespace ks {
namespace {

constexpr int kMostThreads = 4096;

absl::StatusOr<std::string> ChoosePrecision(const std::string& backend, const std::string& wanted,
                                            const Package& package) {
  if (backend != "onnx") return "fp32";
  if (wanted == "auto") return std::string(package.HasPrecision("int8") ? "int8" : "fp32");
  if (package.HasPrecision(wanted)) return wanted;
  return FailedPrecondition(package.directory().string(), ": no precision ", wanted, ", it has ",
                            absl::StrJoin(package.precisions(), ", "));
}

absl::StatusOr<BackendPlan> MakePlan(const std::string& backend, const LoadOptions& options, const Package& package) {
  if (options.threads < 0 || options.threads > kMostThreads) {
    return InvalidArgument("threads: expected 0 (all cores) to ", kMostThreads, ", found ", options.threads);
  }
  KS_ASSIGN_OR_RETURN(std::string precision, ChoosePrecision(backend, options.precision, package));
  // One core for each worker: with several requests in flight this beats several cores for one run.
  return BackendPlan{.backend = backend,
                     .precision = std::move(precision),
                     .isa = options.isa,
                     .workers = options.threads > 0 ? options.threads : EffectiveCores(),
                     .threads_per_worker = 1,
                     .max_tokens = DefaultRunTokens(package.manifest().window),
                     .many_texts = options.many_texts};
}

// Whom the model is to have, the default first.
std::vector<std::string> GroupNames(const LoadOptions& options) {
  std::vector<std::string> names = {options.backend};
  const auto add = [&](const std::string& name) {
    if (!name.empty() && std::ranges::find(names, name) == names.end()) names.push_back(name);
  };
  for (const std::string& name : options.more_backends) add(name);
  add(options.shadow_backend);
  return names;
}

class Loader {
 public:
  Loader(const std::filesystem::path& directory, const LoadOptions& options, const BackendOpener& open)
      : directory_(directory), options_(options), open_(open) {}

  absl::StatusOr<LoadedModel> Load() {
    KS_ASSIGN_OR_RETURN(package_, Package::Open(directory_));
    options_.step_done("package");
    KS_RETURN_IF_ERROR(LoadTokenizer());
    options_.step_done("tokenizer");
    LoadedModel loaded;
    std::vector<BackendGroup> groups;
    for (const std::string& name : GroupNames(options_)) {
      const TimePoint start = SystemClock().Now();
      KS_ASSIGN_OR_RETURN(groups.emplace_back(), LoadGroup(name, loaded.groups.emplace_back()));
      loaded.groups.back().load_time = SystemClock().Now() - start;
    }
    loaded.plan = loaded.groups.front().plan;
    loaded.package = package_;
    loaded.model =
        std::make_shared<const ServedModel>(package_, package_->manifest(), *std::move(tokenizer_), std::move(groups));
    return loaded;
  }

 private:
  absl::Status LoadTokenizer() {
    const std::string file = (package_->directory() / kTokenizerBinFile).string();
    absl::StatusOr<Tokenizer> tokenizer = Tokenizer::FromCompiled(package_->tokenizer());
    KS_RETURN_IF_ERROR(WithContext(tokenizer.status(), file));
    const int vocab_size = package_->manifest().spec.encoder.vocab_size;
    if (tokenizer->vocab_size() > vocab_size) {
      return DataLoss(file, ": expected at most ", vocab_size, " tokens as the model has, found ",
                      tokenizer->vocab_size());
    }
    tokenizer_ = *std::move(tokenizer);
    return absl::OkStatus();
  }

  absl::StatusOr<BackendGroup> LoadGroup(const std::string& name, LoadedGroup& loaded) {
    KS_ASSIGN_OR_RETURN(loaded.plan, MakePlan(name, options_, *package_));
    loaded.precision_reason = options_.precision == "auto" || name != "onnx" ? "default" : "configured";
    BackendGroup group = {.name = name, .workers = {}};
    if (name == options_.backend || std::ranges::find(options_.more_backends, name) != options_.more_backends.end()) {
      KS_ASSIGN_OR_RETURN(group.workers, OpenChecked(loaded, loaded.plan.workers));
    } else {
      loaded.plan.workers = 0;
    }
    if (name == options_.shadow_backend) {
      KS_ASSIGN_OR_RETURN(std::vector<std::unique_ptr<Backend>> shadow, OpenChecked(loaded, 1));
      group.shadow = std::move(shadow.front());
    }
    return group;
  }

  // `workers` objects as loaded.plan says, or in fp32 where int8 fails and that is allowed.
  absl::StatusOr<std::vector<std::unique_ptr<Backend>>> OpenChecked(LoadedGroup& loaded, int workers) {
    BackendPlan plan = loaded.plan;
    plan.workers = workers;
    absl::StatusOr<std::vector<std::unique_ptr<Backend>>> opened = OpenChecked(plan);
    if (opened.ok() || !options_.fall_back || plan.precision != "int8" || !package_->HasPrecision("fp32")) {
      return opened;
    }
    loaded.int8_failure = opened.status();
    loaded.precision_reason = "int8_self_check_failed";
    plan.precision = loaded.plan.precision = "fp32";
    return OpenChecked(plan);
  }

  absl::StatusOr<std::vector<std::unique_ptr<Backend>>> OpenChecked(const BackendPlan& plan) {
    KS_ASSIGN_OR_RETURN(std::vector<std::unique_ptr<Backend>> workers, open_(package_, plan));
    options_.step_done("session");
    KS_RETURN_IF_ERROR(
        WithContext(RunSelfCheck(package_->manifest(), *tokenizer_, workers), package_->directory().string()));
    options_.step_done("self-check");
    return workers;
  }

  const std::filesystem::path& directory_;
  const LoadOptions& options_;
  const BackendOpener& open_;
  std::shared_ptr<const Package> package_;
  std::optional<Tokenizer> tokenizer_;
};

}  // namespace

absl::StatusOr<LoadedModel> LoadModel(const std::filesystem::path& directory, const LoadOptions& options,
                                      const BackendOpener& open) {
  const TimePoint start = SystemClock().Now();
  absl::StatusOr<LoadedModel> loaded = Loader(directory, options, open).Load();
  if (loaded.ok()) loaded->load_time = SystemClock().Now() - start;
  return loaded;
}

absl::StatusOr<std::unique_ptr<Backend>> OpenOnCores(const LoadedModel& loaded, size_t group, int cores,
                                                     const BackendOpener& open) {
  BackendPlan plan = loaded.groups[group].plan;
  plan.workers = 1;
  plan.threads_per_worker = cores;
  KS_ASSIGN_OR_RETURN(std::vector<std::unique_ptr<Backend>> opened, open(loaded.package, plan));
  KS_RETURN_IF_ERROR(WithContext(RunSelfCheck(loaded.package->manifest(), loaded.model->tokenizer(), opened),
                                 Cat(loaded.package->directory().string(), ": on ", cores, " cores")));
  return std::move(opened.front());
}

absl::StatusOr<std::unique_ptr<Backend>> OpenWide(const LoadedModel& loaded, size_t group, const BackendOpener& open) {
  const BackendPlan& plan = loaded.groups[group].plan;
  if (plan.workers < 2 || plan.backend != "onnx" || plan.precision != "int8") return nullptr;
  return OpenOnCores(loaded, group, plan.workers, open);
}

}  // namespace ks
