#include "engine/load.h"

#include <utility>

#include "absl/strings/str_join.h"
#include "base/cpu.h"
#include "base/status_macros.h"
#include "engine/engine.h"
#include "engine/self_check.h"

namespace ks {
namespace {

constexpr int kMostThreads = 4096;

absl::StatusOr<std::string> ChoosePrecision(const std::string& wanted, const Package& package) {
  if (wanted == "auto") return std::string(package.HasPrecision("int8") ? "int8" : "fp32");
  if (package.HasPrecision(wanted)) return wanted;
  return FailedPrecondition(package.directory().string(), ": no precision ", wanted, ", it has ",
                            absl::StrJoin(package.precisions(), ", "));
}

absl::StatusOr<BackendPlan> MakePlan(const LoadOptions& options, const Package& package) {
  if (options.threads < 0 || options.threads > kMostThreads) {
    return InvalidArgument("threads: expected 0 (all cores) to ", kMostThreads, ", found ", options.threads);
  }
  // One core for each worker: with several requests in flight this beats several cores for one run.
  KS_ASSIGN_OR_RETURN(std::string precision, ChoosePrecision(options.precision, package));
  return BackendPlan{.precision = std::move(precision),
                     .workers = options.threads > 0 ? options.threads : EffectiveCores(),
                     .threads_per_worker = 1,
                     .max_tokens = DefaultRunTokens(package.manifest().window),
                     .many_texts = options.many_texts};
}

// Opened, and one of them checked: the others run the same graph on the same weights.
absl::StatusOr<std::vector<std::unique_ptr<Backend>>> OpenChecked(const std::shared_ptr<const Package>& package,
                                                                  const Tokenizer& tokenizer, const BackendPlan& plan,
                                                                  const BackendOpener& open) {
  KS_ASSIGN_OR_RETURN(std::vector<std::unique_ptr<Backend>> workers, open(package, plan));
  KS_RETURN_IF_ERROR(
      WithContext(RunSelfCheck(package->manifest(), tokenizer, *workers.front()), package->directory().string()));
  return workers;
}

absl::StatusOr<LoadedModel> Load(const std::filesystem::path& directory, const LoadOptions& options,
                                 const BackendOpener& open) {
  KS_ASSIGN_OR_RETURN(std::shared_ptr<const Package> package, Package::Open(directory));
  const Manifest& manifest = package->manifest();
  const std::string tokenizer_file = (package->directory() / kTokenizerBinFile).string();
  absl::StatusOr<Tokenizer> tokenizer = Tokenizer::FromCompiled(package->tokenizer());
  KS_RETURN_IF_ERROR(WithContext(tokenizer.status(), tokenizer_file));
  if (tokenizer->vocab_size() > manifest.spec.encoder.vocab_size) {
    return DataLoss(tokenizer_file, ": expected at most ", manifest.spec.encoder.vocab_size,
                    " tokens as the model has, found ", tokenizer->vocab_size());
  }

  LoadedModel loaded;
  KS_ASSIGN_OR_RETURN(loaded.plan, MakePlan(options, *package));
  loaded.precision_reason = options.precision == "auto" ? "default" : "configured";
  absl::StatusOr<std::vector<std::unique_ptr<Backend>>> workers = OpenChecked(package, *tokenizer, loaded.plan, open);
  if (!workers.ok() && options.fall_back && loaded.plan.precision == "int8" && package->HasPrecision("fp32")) {
    loaded.int8_failure = workers.status();
    loaded.plan.precision = "fp32";
    loaded.precision_reason = "int8_self_check_failed";
    workers = OpenChecked(package, *tokenizer, loaded.plan, open);
  }
  KS_RETURN_IF_ERROR(workers.status());

  std::vector<BackendGroup> groups;
  groups.push_back({.name = options.backend, .workers = *std::move(workers)});
  loaded.model = std::make_shared<const ServedModel>(package, manifest, *std::move(tokenizer), std::move(groups));
  return loaded;
}

}  // namespace

absl::StatusOr<LoadedModel> LoadModel(const std::filesystem::path& directory, const LoadOptions& options,
                                      const BackendOpener& open) {
  const TimePoint start = SystemClock().Now();
  absl::StatusOr<LoadedModel> loaded = Load(directory, options, open);
  if (loaded.ok()) loaded->load_time = SystemClock().Now() - start;
  return loaded;
}

}  // namespace ks
