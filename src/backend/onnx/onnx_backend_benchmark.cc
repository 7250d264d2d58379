// The default model through ONNX Runtime: latency of one text by its length, throughput of a full run, and opening.
#include <benchmark/benchmark.h>

#include <cmath>
#include <filesystem>
#include <vector>

#include "backend/onnx/onnx_backend.h"
#include "backend/onnx/testing/golden_logits.h"
#include "backend/onnx/testing/serving_directory.h"

namespace ks {
namespace {

constexpr int kWindow = 256;

const ServingDirectory& Directory() {
  static const absl::StatusOr<ServingDirectory> directory =
      ServingDirectory::Make(std::filesystem::path(KS_SOURCE_DIR) / "models" / "default");
  return directory.value();
}

std::unique_ptr<Backend> Open(int threads) {
  auto group = OnnxBackend::OpenGraph(Directory().graph(), Directory().spec(), kWindow,
                                      {.threads = threads, .max_tokens = 1024}, 1);
  return std::move(group.value().front());
}

// Before anything is timed: the answers are PyTorch's.
bool IsRight(Backend& backend) {
  static const std::vector<GoldenCase> cases = ReadGolden(KS_SOURCE_DIR, "default").value();
  const GoldenBatch batch({cases[4]});
  const absl::StatusOr<Logits> logits = backend.Run(batch.view());
  if (!logits.ok()) return false;
  for (size_t c = 0; c < cases[4].logits.size(); ++c) {
    if (std::abs(logits->values[c] - cases[4].logits[c]) > 1e-4 * cases[4].largest()) return false;
  }
  return true;
}

void BM_Run(benchmark::State& state) {
  const int sequences = static_cast<int>(state.range(0));
  const int length = static_cast<int>(state.range(1));
  const std::unique_ptr<Backend> backend = Open(static_cast<int>(state.range(2)));
  if (!IsRight(*backend)) {
    state.SkipWithError("the logits are not PyTorch's");
    return;
  }
  std::vector<int32_t> ids(sequences * length);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i * 7919 % 30000);
  std::vector<int32_t> offsets;
  for (int i = 0; i <= sequences; ++i) offsets.push_back(i * length);
  for (auto _ : state) benchmark::DoNotOptimize(backend->Run({ids, offsets, {}}).value());
  state.counters["tokens/s"] =
      benchmark::Counter(static_cast<double>(ids.size()), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(BM_Run)
    ->ArgNames({"texts", "tokens", "threads"})
    ->Args({1, 16, 1})
    ->Args({1, 128, 1})
    ->Args({8, 32, 1})
    ->Args({8, 128, 1})
    ->Args({1, 16, 2})
    ->Args({1, 128, 2})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// A session and its first answer; the environment is there already.
void BM_OpenAndRun(benchmark::State& state) {
  const std::unique_ptr<Backend> keeps_environment = Open(1);
  for (auto _ : state) {
    if (!IsRight(*Open(1))) state.SkipWithError("the logits are not PyTorch's");
  }
}
BENCHMARK(BM_OpenAndRun)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace ks

BENCHMARK_MAIN();
