#include "engine/load.h"

#include <utility>

#include "base/cpu.h"
#include "base/status_macros.h"
#include "engine/engine.h"
#include "engine/self_check.h"

namespace ks {
namespace {

constexpr int kMostThreads = 4096;

absl::StatusOr<BackendPlan> MakePlan(const LoadOptions& options, int window) {
  if (options.threads < 0 || options.threads > kMostThreads) {
    return InvalidArgument("threads: expected 0 (all cores) to ", kMostThreads, ", found ", options.threads);
  }
  // One core for each worker: with several requests in flight this beats several cores for one run.
  return BackendPlan{.precision = options.precision,
                     .workers = options.threads > 0 ? options.threads : EffectiveCores(),
                     .threads_per_worker = 1,
                     .max_tokens = DefaultRunTokens(window),
                     .many_texts = options.many_texts};
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

  KS_ASSIGN_OR_RETURN(const BackendPlan plan, MakePlan(options, manifest.window));
  BackendGroup group = {.name = options.backend, .workers = {}};
  KS_ASSIGN_OR_RETURN(group.workers, open(package, plan));
  // The others run the same graph on the same weights.
  KS_RETURN_IF_ERROR(
      WithContext(RunSelfCheck(manifest, *tokenizer, *group.workers.front()), package->directory().string()));

  std::vector<BackendGroup> groups;
  groups.push_back(std::move(group));
  auto model = std::make_shared<const ServedModel>(package, manifest, *std::move(tokenizer), std::move(groups));
  return LoadedModel{.model = std::move(model), .plan = plan};
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
