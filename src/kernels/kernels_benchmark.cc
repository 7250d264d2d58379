// Times the int8 linear on one thread against what the core can do at most, after checking its bits against the scalar
// reference, and says where it stands to its bars (docs/performance.md).
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
#include <string>

#include "kernels/benchmark_testing.h"
#include "kernels/dispatch.h"
#include "kernels/int8_model_testing.h"

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
// What this core can do at most: products of bytes on registers alone. With enough sums their latency is hidden: from
// there on more of them make no difference, and the hardware's rate is reached. In assembly, since a compiler that puts
// a sum into memory would measure that.
constexpr int kPeakRounds = 1000;

void ReportPeak(benchmark::State& state, double operations_a_round) {
  state.counters["GOP/s"] =
      benchmark::Counter(operations_a_round * kPeakRounds * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

#define KS_XMM_CLOBBERS                                                                                               \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", \
      "xmm14", "xmm15"

template <int kSums>
__attribute__((target("avx512f,avx512vnni"))) void BM_VnniPeak(benchmark::State& state) {
  for (auto _ : state) {
    for (int round = 0; round < kPeakRounds; ++round) {
      asm volatile(
          ".set sum, 0\n.rept %c0\n"
          ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
          ".if sum == \\n\nvpdpbusd %%zmm17, %%zmm16, %%zmm\\n\n.endif\n.endr\n"
          ".set sum, sum + 1\n.endr\n" ::"i"(kSums)
          : KS_XMM_CLOBBERS);
    }
  }
  ReportPeak(state, 2.0 * 64 * kSums);
}

// Without products of bytes that are exact: bytes widened to 16 bits, and a sum of two products added to each.
template <int kSums>
__attribute__((target("avx2"))) void BM_Avx2Peak(benchmark::State& state) {
  for (auto _ : state) {
    for (int round = 0; round < kPeakRounds; ++round) {
      asm volatile(
          ".set sum, 0\n.rept %c0\n"
          ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11\n"
          ".if sum == \\n\nvpmaddwd %%ymm15, %%ymm14, %%ymm13\nvpaddd %%ymm13, %%ymm\\n, %%ymm\\n\n.endif\n.endr\n"
          ".set sum, sum + 1\n.endr\n" ::"i"(kSums)
          : KS_XMM_CLOBBERS);
    }
  }
  ReportPeak(state, 2.0 * 16 * kSums);
}
#undef KS_XMM_CLOBBERS
#endif

void Register() {
#if defined(__x86_64__)
  if (IsSupported(IsaLevel::kAvx512Vnni)) {
    benchmark::RegisterBenchmark("BM_VnniPeak/sums:2", BM_VnniPeak<2>);
    benchmark::RegisterBenchmark("BM_VnniPeak/sums:4", BM_VnniPeak<4>);
    benchmark::RegisterBenchmark("BM_VnniPeak/sums:8", BM_VnniPeak<8>);
    benchmark::RegisterBenchmark("BM_VnniPeak/sums:12", BM_VnniPeak<12>);
    benchmark::RegisterBenchmark("BM_VnniPeak/sums:16", BM_VnniPeak<16>);
  } else if (IsSupported(IsaLevel::kAvx2)) {
    benchmark::RegisterBenchmark("BM_Avx2Peak/sums:2", BM_Avx2Peak<2>);
    benchmark::RegisterBenchmark("BM_Avx2Peak/sums:4", BM_Avx2Peak<4>);
    benchmark::RegisterBenchmark("BM_Avx2Peak/sums:8", BM_Avx2Peak<8>);
    benchmark::RegisterBenchmark("BM_Avx2Peak/sums:12", BM_Avx2Peak<12>);
  }
#endif
  for (const IsaLevel isa : SupportedIsas()) {
    for (const auto& [name, width] : kModels) {
      const std::string title = std::string("BM_Int8Model/") + std::string(IsaName(isa)) + "/" + name;
      benchmark::internal::Benchmark* const cases =
          benchmark::RegisterBenchmark(title.c_str(), BM_Int8Model, isa, width);
      cases->ArgNames({"T", "gelu", "large_pages"});
      if (isa == BestIsa() || isa == IsaLevel::kAvx512Amx) {
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
      const auto rate = run.counters.find("GOP/s");
      if (run.error_occurred || run.run_type != Run::RT_Iteration || rate == run.counters.end()) continue;
      const std::string name = run.run_name.function_name + (run.run_name.args.empty() ? "" : "/" + run.run_name.args);
      if (name.find("Peak/") != std::string::npos) {
        peak_ = std::max(peak_, rate->second.value);
        continue;
      }
      std::map<std::string, double>& best = rates_[name];
      for (const auto& [key, counter] : run.counters) best[key] = std::max(best[key], counter.value);
    }
  }

  // Without VNNI the shares alone. Nothing where the peak or a case was filtered out.
  void PrintBars() const {
    const bool vnni = IsSupported(IsaLevel::kAvx512Vnni);
    if (peak_ == 0 || rates_.empty()) return;
    std::printf("\none core: %.0f GOP/s at most (%s on registers)\n", peak_, vnni ? "vpdpbusd" : "vpmaddwd and vpaddd");
    if (!vnni) std::printf("this CPU lacks avx512vnni, whose peak the bars are shares of\n");
    for (const auto& [model, width] : kModels) {
      for (const int rows : {16, 64, 128}) {
        PrintBar(model, rows, 0, "GOP/s", !vnni ? 0 : rows >= 64 ? 80 : 65);
        PrintBar(model, rows, 1, "up", vnni && rows >= 64 ? 70 : 0);
      }
    }
  }

 private:
  void PrintBar(const char* model, int rows, int gelu, const char* counter, int bar) const {
    const std::string name = std::string("BM_Int8Model/") + std::string(IsaName(BestIsa())) + "/" + model +
                             "/T:" + std::to_string(rows) + "/gelu:" + std::to_string(gelu) + "/large_pages:0";
    const auto found = rates_.find(name);
    if (found == rates_.end()) return;
    const double share = found->second.at(counter) / peak_ * 100;
    std::printf("%-10s T = %-3d  %-24s %6.1f GOP/s  %5.1f %%", model, rows,
                gelu != 0 ? "up with GELU" : "all linears, no GELU", found->second.at(counter), share);
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
