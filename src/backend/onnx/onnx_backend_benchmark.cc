// The default model's package through ONNX Runtime: latency of one text by its length, throughput of a full run, and
// opening.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "backend/onnx/onnx_backend.h"
#include "backend/onnx/testing/golden_logits.h"
#include "base/status_macros.h"
#include "convert/convert.h"
#include "kernels/kernels_testing.h"

namespace ks {
namespace {

namespace fs = std::filesystem;

// Converted once into a directory that goes with the process.
class Converted {
 public:
  static const Converted& Get() {
    static const Converted converted;
    return converted;
  }
  ~Converted() {
    std::error_code ignored;
    fs::remove_all(scratch_, ignored);
  }

  const std::shared_ptr<const Package>& package() const { return package_; }

 private:
  Converted() {
    scratch_ = (fs::temp_directory_path() / "ks_benchmark_XXXXXX").string();
    const absl::Status status = Make();
    if (status.ok()) return;
    std::cerr << status << "\n";
    std::exit(1);
  }

  absl::Status Make() {
    if (mkdtemp(scratch_.data()) == nullptr) return absl::InternalError(scratch_);
    ConvertOptions options;
    options.checkpoint_dir = fs::path(KS_SOURCE_DIR) / "models" / "default";
    options.output_dir = fs::path(scratch_) / "package";
    options.max_length = 256;
    KS_RETURN_IF_ERROR(Convert(options).status());
    KS_ASSIGN_OR_RETURN(package_, Package::Open(options.output_dir));
    return absl::OkStatus();
  }

  std::string scratch_;
  std::shared_ptr<const Package> package_;
};

std::unique_ptr<Backend> Open(const std::string& precision, int threads) {
  return OnnxBackend::Open(Converted::Get().package(), {.precision = precision, .threads = threads, .max_tokens = 1024})
      .value();
}

struct Batch {
  Batch(int sequences, int length) {
    for (int i = 0; i < sequences * length; ++i) ids.push_back(i * 7919 % 30000);
    for (int i = 0; i <= sequences; ++i) offsets.push_back(i * length);
  }
  PackedBatch view() const { return {ids, offsets, {}}; }

  std::vector<int32_t> ids, offsets;
};

// Before anything is timed: int8 has one answer, whatever computes it.
bool IsTheAnswer(Backend& backend, const Batch& batch) {
  const auto expected = Open("int8", 1)->Run(batch.view());
  const auto found = backend.Run(batch.view());
  return expected.ok() && found.ok() && DifferentBits(expected->values, found->values) == 0;
}

// fp32 has PyTorch's, closely; int8 the same label.
bool IsPyTorchs(Backend& backend) {
  static const std::vector<GoldenCase> cases = ReadGolden(KS_SOURCE_DIR, "default").value();
  const GoldenCase& golden = cases[4];
  const GoldenBatch batch({golden});
  const absl::StatusOr<Logits> logits = backend.Run(batch.view());
  if (!logits.ok()) return false;
  if (backend.facts().precision == "int8") {
    return std::ranges::max_element(logits->values) - logits->values.begin() ==
           std::ranges::max_element(golden.logits) - golden.logits.begin();
  }
  for (size_t c = 0; c < golden.logits.size(); ++c) {
    if (std::abs(logits->values[c] - golden.logits[c]) > 1e-4 * golden.largest()) return false;
  }
  return true;
}

void Run(benchmark::State& state, const std::string& precision) {
  const Batch batch(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
  const std::unique_ptr<Backend> backend = Open(precision, static_cast<int>(state.range(2)));
  if (!IsPyTorchs(*backend)) return state.SkipWithError("the logits are not PyTorch's");
  if (precision == "int8" && !IsTheAnswer(*backend, batch)) {
    return state.SkipWithError("the logits are not those of one thread");
  }
  for (auto _ : state) benchmark::DoNotOptimize(backend->Run(batch.view()).value());
  state.counters["tokens/s"] =
      benchmark::Counter(static_cast<double>(batch.ids.size()), benchmark::Counter::kIsIterationInvariantRate);
}

void BM_Int8(benchmark::State& state) { Run(state, "int8"); }
BENCHMARK(BM_Int8)
    ->ArgNames({"texts", "tokens", "threads"})
    ->ArgsProduct({{1}, {8, 16, 32, 64, 128, 256}, {1, 2}})
    ->ArgsProduct({{8}, {128}, {1, 2}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// A request to an idle server: the team sleeps.
void BM_Int8AfterIdle(benchmark::State& state) {
  const Batch batch(1, static_cast<int>(state.range(0)));
  const std::unique_ptr<Backend> backend = Open("int8", static_cast<int>(state.range(1)));
  for (auto _ : state) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const auto start = std::chrono::steady_clock::now();
    benchmark::DoNotOptimize(backend->Run(batch.view()).value());
    state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
}
BENCHMARK(BM_Int8AfterIdle)
    ->ArgNames({"tokens", "threads"})
    ->ArgsProduct({{16, 64}, {1, 2}})
    ->Unit(benchmark::kMillisecond)
    ->UseManualTime();

void BM_Fp32(benchmark::State& state) { Run(state, "fp32"); }
BENCHMARK(BM_Fp32)
    ->ArgNames({"texts", "tokens", "threads"})
    ->ArgsProduct({{1}, {16, 128}, {1, 2}})
    ->Args({8, 128, 1})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// A session and its first answer; the environment is there already.
void BM_OpenAndRun(benchmark::State& state) {
  const std::unique_ptr<Backend> keeps_environment = Open("int8", 1);
  const Batch batch(1, 16);
  const int threads = static_cast<int>(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(Open("int8", threads)->Run(batch.view()).value());
}
BENCHMARK(BM_OpenAndRun)->ArgName("threads")->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace ks

BENCHMARK_MAIN();
