// Times the int8 linear on one thread against what the core can do at most, after checking its bits against the scalar
// reference, and says where VNNI's and AMX's stand to their bars (docs/performance.md).
//
// A case walks all the dense layers of a model in turn, as a run does: one matrix alone would stay in the second-level
// cache. Weights lie in pages of 4 KB, as in the mapped file, unless the case says otherwise. Rates are shown for each
// of the four shapes and for all, weighted by their multiply-adds. One multiplication and one addition count as two.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "kernels/benchmark_testing.h"
#include "kernels/dispatch.h"
#include "kernels/int8_model_testing.h"
#include "kernels/peaks_testing.h"

namespace ks {
namespace {

constexpr struct {
  const char* name;
  int width;
} kModels[] = {{"MiniLM", 384}, {"DistilBERT", 768}};

Int8Model& Model(int width, bool large_pages) {
  static std::map<std::pair<int, bool>, std::unique_ptr<Int8Model>> models;
  std::unique_ptr<Int8Model>& model = models[{width, large_pages}];
  if (model == nullptr) model = std::make_unique<Int8Model>(width, large_pages);
  return *model;
}

double Operations(const Int8Shape& shape, int rows) { return 2.0 * rows * shape.inputs * shape.outputs; }

// Arguments: rows, GELU after the expanding layer or not, large pages or not. An iteration is one walk.
void BM_Int8Model(benchmark::State& state, IsaLevel isa, int width) {
  const KernelTable& kernels = Kernels(isa);
  const int rows = static_cast<int>(state.range(0));
  const Epilogue epilogue = state.range(1) != 0 ? Epilogue::kGelu : Epilogue::kNone;
  Int8Model& model = Model(width, state.range(2) != 0);
  if (!model.IsRight(kernels, rows, epilogue)) {
    return state.SkipWithError("int8 linear differs from the scalar reference");
  }
  using Clock = std::chrono::steady_clock;
  double seconds[Int8Model::kShapes] = {};
  for (auto _ : state) {
    Clock::time_point last = Clock::now();
    for (int layer = 0; layer < Int8Model::kLayers; ++layer) {
      for (int i = 0; i < Int8Model::kShapes; ++i) {
        kernels.int8_linear(model.Args(layer, i, rows, i == Int8Model::kExpanding ? epilogue : Epilogue::kNone));
        benchmark::ClobberMemory();
        const Clock::time_point now = Clock::now();
        seconds[i] += std::chrono::duration<double>(now - last).count();
        last = now;
      }
    }
  }
  const double walks = static_cast<double>(state.iterations()) * Int8Model::kLayers;
  double operations = 0, total = 0;
  for (int i = 0; i < Int8Model::kShapes; ++i) {
    state.counters[model.shape(i).name] = Operations(model.shape(i), rows) * walks / seconds[i] * 1e-9;
    operations += Operations(model.shape(i), rows) * walks;
    total += seconds[i];
  }
  state.counters["GOP/s"] = operations / total * 1e-9;
}

// Reads the packed weights of a whole model and nothing else: what few rows cannot be faster than.
void BM_ReadWeights(benchmark::State& state, int width) {
  const std::span<const int8_t> packed = Model(width, false).packed();
  for (auto _ : state) ReadBytes(std::as_bytes(packed));
  state.counters["GB/s"] =
      benchmark::Counter(static_cast<double>(packed.size()) * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

// Arguments: rows, inputs (of the widths that the models have).
void BM_QuantizeRows(benchmark::State& state) {
  const int rows = static_cast<int>(state.range(0));
  const bool wide = state.range(1) % kModels[0].width == 0 && state.range(1) / 4 >= kModels[0].width;
  Int8Model& model = Model(static_cast<int>(wide ? state.range(1) / 4 : state.range(1)), false);
  if (!model.IsRight(BestKernels(), rows, Epilogue::kNone)) {
    return state.SkipWithError("quantised rows differ from the scalar reference");
  }
  for (auto _ : state) {
    model.Quantize(BestKernels(), wide ? Int8Model::kShapes - 1 : 0, rows);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * rows * state.range(1));
}
BENCHMARK(BM_QuantizeRows)->ArgNames({"T", "K"})->ArgsProduct({{16, 64, 128}, {384, 768, 1536, 3072}});

#if defined(__x86_64__)
// What this core can do at most. With enough sums more of them make no difference, and the hardware's rate is reached.
template <int kSums>
void BM_Peak(benchmark::State& state, void (*products)(), int products_a_sum) {
  for (auto _ : state) products();
  state.counters["GOP/s"] =
      benchmark::Counter(2e-9 * products_a_sum * kSums * kProductRounds, benchmark::Counter::kIsIterationInvariantRate);
}

template <int kSums>
void RegisterPeak() {
  const std::string sums = "/sums:" + std::to_string(kSums);
  if (IsSupported(IsaLevel::kAvx512Vnni)) {
    benchmark::RegisterBenchmark(("BM_VnniPeak" + sums).c_str(), BM_Peak<kSums>, VnniProducts<kSums>, 64);
  } else if constexpr (kSums <= 12) {
    if (!IsSupported(IsaLevel::kAvx2)) return;
    benchmark::RegisterBenchmark(("BM_Avx2Peak" + sums).c_str(), BM_Peak<kSums>, Avx2Products<kSums>, 32);
  }
}
#endif

bool HasBars(IsaLevel isa) { return isa == IsaLevel::kAvx512Vnni || isa == IsaLevel::kAvx512Amx; }

void Register() {
#if defined(__x86_64__)
  RegisterPeak<2>();
  RegisterPeak<4>();
  RegisterPeak<8>();
  RegisterPeak<12>();
  RegisterPeak<16>();
#endif
  for (const auto& [name, width] : kModels) {
    benchmark::RegisterBenchmark((std::string("BM_ReadWeights/") + name).c_str(), BM_ReadWeights, width);
  }
  for (const IsaLevel isa : SupportedIsas()) {
    for (const auto& [name, width] : kModels) {
      const std::string title = std::string("BM_Int8Model/") + std::string(IsaName(isa)) + "/" + name;
      benchmark::internal::Benchmark* const cases =
          benchmark::RegisterBenchmark(title.c_str(), BM_Int8Model, isa, width);
      cases->ArgNames({"T", "gelu", "large_pages"});
      if (isa == BestIsa() || HasBars(isa)) {
        cases->ArgsProduct({{1, 16, 64, 128}, {0, 1}, {0}})->Args({16, 0, 1})->Args({128, 0, 1});
      } else if (width == kModels[0].width) {
        cases->Args({16, 0, 0});
      }
    }
  }
}

// Keeps the best of each case's repetitions, and sets the rates beside the bars.
class BarReporter : public FailingReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    FailingReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      if (run.error_occurred || run.run_type != Run::RT_Iteration) continue;
      const std::string name = run.run_name.function_name + (run.run_name.args.empty() ? "" : "/" + run.run_name.args);
      std::map<std::string, double>& best = rates_[name];
      for (const auto& [key, counter] : run.counters) best[key] = std::max(best[key], counter.value);
      if (name.find("Peak/") != std::string::npos) peak_ = std::max(peak_, best["GOP/s"]);
    }
  }

  // Without VNNI the shares alone. Nothing where the peak or a case was filtered out.
  void PrintBars() const {
    const bool has_cases =
        std::ranges::any_of(rates_, [](const auto& rate) { return rate.first.starts_with("BM_Int8Model/"); });
    if (peak_ == 0 || !has_cases) return;
    const bool vnni = IsSupported(IsaLevel::kAvx512Vnni);
    std::printf("\none core: %.0f GOP/s at most (%s on registers)\n", peak_,
                vnni ? "vpdpbusd" : "vpmaddubsw, vpmaddwd, vpaddd");
    if (!vnni) std::printf("this CPU lacks avx512vnni, whose peak the bars are shares of\n");
    const IsaLevel isa = vnni ? IsaLevel::kAvx512Vnni : BestIsa();
    for (const auto& [model, width] : kModels) {
      for (const int rows : {16, 64, 128}) {
        PrintBar(isa, model, rows, 0, "GOP/s", !vnni ? 0 : rows >= 64 ? 80 : 65);
        PrintBar(isa, model, rows, 1, "up", vnni && rows >= 64 ? 70 : 0);
      }
    }
    if (!IsSupported(IsaLevel::kAvx512Amx)) return;
    std::printf("AMX, in shares of the same\n");
    for (const auto& [model, width] : kModels) {
      PrintReadingBar(model);
      PrintBar(IsaLevel::kAvx512Amx, model, 64, 0, "GOP/s", 0);
      PrintBar(IsaLevel::kAvx512Amx, model, 128, 0, "GOP/s", width == kModels[0].width ? 250 : 200);
      PrintBar(IsaLevel::kAvx512Amx, model, 128, 1, "up", 0);
    }
  }

 private:
  // Null where the case did not run.
  const double* Rate(const std::string& name, const char* counter) const {
    const auto found = rates_.find(name);
    return found == rates_.end() ? nullptr : &found->second.at(counter);
  }
  static std::string Case(IsaLevel isa, const char* model, int rows, int gelu) {
    return "BM_Int8Model/" + std::string(IsaName(isa)) + "/" + model + "/T:" + std::to_string(rows) +
           "/gelu:" + std::to_string(gelu) + "/large_pages:0";
  }

  void PrintBar(IsaLevel isa, const char* model, int rows, int gelu, const char* counter, int bar) const {
    const double* const rate = Rate(Case(isa, model, rows, gelu), counter);
    if (rate == nullptr) return;
    std::printf("%-10s T = %-3d  %-24s %6.1f GOP/s", model, rows, gelu != 0 ? "up with GELU" : "all linears, no GELU",
                *rate);
    PrintShare(*rate / peak_ * 100, bar);
  }

  // 16 rows against the time that their weights alone take.
  void PrintReadingBar(const char* model) const {
    const double* const rate = Rate(Case(IsaLevel::kAvx512Amx, model, 16, 0), "GOP/s");
    const double* const read = Rate(std::string("BM_ReadWeights/") + model, "GB/s");
    if (rate == nullptr || read == nullptr) return;
    const double read_by_linears = *rate / (2.0 * 16);  // a byte of weights is in 16 products
    std::printf("%-10s T = 16   weights read at %.1f of %.1f GB/s", model, read_by_linears, *read);
    PrintShare(read_by_linears / *read * 100, 85);
  }

  static void PrintShare(double share, int bar) {
    std::printf("  %5.1f %%", share);
    if (bar == 0) {
      std::printf("\n");
    } else if (share >= bar) {
      std::printf("  bar %d %%: met\n", bar);
    } else {
      std::printf("  bar %d %%: short by %.1f\n", bar, bar - share);
    }
  }

  double peak_ = 0;
  std::map<std::string, std::map<std::string, double>> rates_;
};

}  // namespace
}  // namespace ks

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  ks::Register();
  ks::BarReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  benchmark::Shutdown();
  reporter.PrintBars();
  return reporter.failed() ? 1 : 0;
}
