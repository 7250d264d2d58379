// Times the float kernels and attention over bytes of the best instruction set on one thread, after checking their bits
// against the scalar reference. Linear walks the matrices of several layers in turn, as a model does: one alone would
// stay in the second-level cache.
#include <benchmark/benchmark.h>

#include <cmath>

#include "kernels/benchmark_testing.h"
#include "kernels/dispatch.h"
#include "kernels/kernels_testing.h"

namespace ks {
namespace {

struct Attention {
  Attention(const std::vector<int>& lengths, int heads, int head_size) {
    for (int length : lengths) offsets.push_back(offsets.back() + length);
    const size_t width = static_cast<size_t>(heads) * head_size;
    qkv = Random(1).Floats(static_cast<size_t>(offsets.back()) * 3 * width);
    out.resize(static_cast<size_t>(offsets.back()) * width);
    args = {.q = qkv.data(),
            .k = qkv.data() + width,
            .v = qkv.data() + 2 * width,
            .row_stride = 3 * width,
            .offsets = offsets.data(),
            .sequences = static_cast<int>(lengths.size()),
            .heads = heads,
            .head_size = head_size,
            .out = out.data(),
            .out_stride = width};
    for (int length : lengths) flops += 4.0 * length * length * static_cast<double>(width);
  }

  void Run(const KernelTable& kernels) const { RunAll(AttentionTasks(kernels, args)); }
  void RunOverBytes(const KernelTable& kernels) const { RunAll(Int8AttentionTasks(kernels, args)); }

  std::vector<int32_t> offsets = {0};
  std::vector<float> qkv, out;
  AttentionArgs args;
  double flops = 0;
};

// The loop that everybody writes first; what the kernel is compared with.
void NaiveAttention(const AttentionArgs& a) {
  std::vector<float> p;
  for (int s = 0; s < a.sequences; ++s) {
    const int begin = a.offsets[s];
    const int tokens = a.offsets[s + 1] - begin;
    p.resize(static_cast<size_t>(tokens));
    for (int column = 0; column < a.heads * a.head_size; column += a.head_size) {
      for (int i = 0; i < tokens; ++i) {
        const float* q = a.q + (begin + i) * a.row_stride + column;
        float highest = -INFINITY;
        for (int j = 0; j < tokens; ++j) {
          const float* k = a.k + (begin + j) * a.row_stride + column;
          p[j] = 0;
          for (int c = 0; c < a.head_size; ++c) p[j] += q[c] * k[c];
          p[j] /= std::sqrt(static_cast<float>(a.head_size));
          highest = std::max(highest, p[j]);
        }
        float sum = 0;
        for (float& value : p) sum += value = std::exp(value - highest);
        float* out = a.out + (begin + i) * a.out_stride + column;
        for (int c = 0; c < a.head_size; ++c) out[c] = 0;
        for (int j = 0; j < tokens; ++j) {
          const float* v = a.v + (begin + j) * a.row_stride + column;
          for (int c = 0; c < a.head_size; ++c) out[c] += p[j] / sum * v[c];
        }
      }
    }
  }
}

void ReportRates(benchmark::State& state, double flops, int tokens) {
  using benchmark::Counter;
  state.counters["GFLOP/s"] = Counter(flops * 1e-9, Counter::kIsIterationInvariantRate);
  state.counters["tokens/s"] = Counter(tokens, Counter::kIsIterationInvariantRate);
}

// Whether the best kernels give the scalar reference's bits; ends the benchmark where they do not.
template <void (Attention::*kRun)(const KernelTable&) const>
bool IsScalars(const Attention& work, benchmark::State& state) {
  (work.*kRun)(Kernels(IsaLevel::kScalar));
  const std::vector<float> expected = work.out;
  (work.*kRun)(BestKernels());
  if (DifferentBits(work.out, expected) == 0) return true;
  state.SkipWithError("attention differs from the scalar reference");
  return false;
}

// Arguments: sequences, tokens of each, heads, head size, naive loop or not.
void BM_Attention(benchmark::State& state) {
  const std::vector<int> lengths(static_cast<size_t>(state.range(0)), static_cast<int>(state.range(1)));
  Attention work(lengths, static_cast<int>(state.range(2)), static_cast<int>(state.range(3)));
  if (!IsScalars<&Attention::Run>(work, state)) return;
  const bool naive = state.range(4) != 0;
  for (auto _ : state) {
    if (naive) {
      NaiveAttention(work.args);
    } else {
      work.Run(BestKernels());
    }
    benchmark::ClobberMemory();
  }
  ReportRates(state, work.flops, work.offsets.back());
}
BENCHMARK(BM_Attention)
    ->ArgNames({"B", "T", "heads", "head_size", "naive"})
    ->Args({1, 128, 12, 32, 1})
    ->Args({1, 16, 12, 32, 0})
    ->Args({1, 39, 12, 32, 0})
    ->Args({1, 128, 12, 32, 0})
    ->Args({1, 512, 12, 32, 0})
    ->Args({16, 39, 12, 32, 0})
    ->Args({1, 16, 12, 64, 0})
    ->Args({1, 128, 12, 64, 0})
    ->Args({1, 512, 12, 64, 0});

// Arguments: sequences, tokens of each, heads, head size. Turns keys and values into bytes as well.
void BM_Int8Attention(benchmark::State& state) {
  const std::vector<int> lengths(static_cast<size_t>(state.range(0)), static_cast<int>(state.range(1)));
  Attention work(lengths, static_cast<int>(state.range(2)), static_cast<int>(state.range(3)));
  if (!IsScalars<&Attention::RunOverBytes>(work, state)) return;
  for (auto _ : state) {
    work.RunOverBytes(BestKernels());
    benchmark::ClobberMemory();
  }
  ReportRates(state, work.flops, work.offsets.back());
}
BENCHMARK(BM_Int8Attention)
    ->ArgNames({"B", "T", "heads", "head_size"})
    ->ArgsProduct({{1}, {16, 39, 128, 256}, {12}, {32, 64}})
    ->Args({16, 39, 12, 32});

// Arguments: rows, inputs, outputs.
void BM_Linear(benchmark::State& state) {
  const int rows = static_cast<int>(state.range(0));
  const int inputs = static_cast<int>(state.range(1));
  const int outputs = static_cast<int>(state.range(2));
  constexpr int kLayers = 6;
  Random random(2);
  const std::vector<float> x = random.Floats(static_cast<size_t>(rows) * inputs);
  const std::vector<float> bias = random.Floats(static_cast<size_t>(outputs));
  std::vector<std::vector<float>> weights;
  for (int i = 0; i < kLayers; ++i) weights.push_back(random.Floats(static_cast<size_t>(outputs) * inputs));
  std::vector<float> out(static_cast<size_t>(rows) * outputs);
  LinearArgs args = {.x = x.data(),
                     .x_stride = static_cast<size_t>(inputs),
                     .weight = weights[0].data(),
                     .bias = bias.data(),
                     .out = out.data(),
                     .out_stride = static_cast<size_t>(outputs),
                     .rows = std::min(rows, 5),  // the reference is slow
                     .inputs = inputs,
                     .outputs = outputs};
  Kernels(IsaLevel::kScalar).linear(args);
  std::vector<float> expected(out.begin(), out.begin() + static_cast<ptrdiff_t>(args.rows) * outputs);
  BestKernels().linear(args);
  if (DifferentBits({out.begin(), out.begin() + static_cast<ptrdiff_t>(args.rows) * outputs}, expected) != 0) {
    return state.SkipWithError("linear differs from the scalar reference");
  }
  args.rows = rows;
  size_t layer = 0;
  for (auto _ : state) {
    args.weight = weights[layer++ % kLayers].data();
    BestKernels().linear(args);
    benchmark::ClobberMemory();
  }
  ReportRates(state, 2.0 * rows * inputs * outputs, rows);
}
BENCHMARK(BM_Linear)
    ->ArgNames({"T", "K", "N"})
    ->Args({1, 384, 384})
    ->Args({16, 384, 1536})
    ->Args({128, 384, 1152})
    ->Args({128, 384, 1536})
    ->Args({128, 1536, 384});

void BM_Gelu(benchmark::State& state) {
  const std::vector<float> x = Random(3).Floats(16 * 1536, 4.0f);
  std::vector<float> y(x.size()), expected(x.size());
  Kernels(IsaLevel::kScalar).gelu(x.data(), expected.data(), x.size());
  BestKernels().gelu(x.data(), y.data(), x.size());
  if (DifferentBits(y, expected) != 0) return state.SkipWithError("gelu differs from the scalar reference");
  for (auto _ : state) {
    BestKernels().gelu(x.data(), y.data(), x.size());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(x.size()));
}
BENCHMARK(BM_Gelu);

void BM_LayerNorm(benchmark::State& state) {
  constexpr int kWidth = 384;
  constexpr int kRows = 128;
  Random random(4);
  const std::vector<float> x = random.Floats(kRows * kWidth);
  const std::vector<float> residual = random.Floats(kRows * kWidth);
  const std::vector<float> gamma = random.Floats(kWidth);
  std::vector<float> y(x.size()), expected(x.size());
  LayerNormArgs args = {.x = x.data(),
                        .residual = residual.data(),
                        .gamma = gamma.data(),
                        .beta = gamma.data(),
                        .eps = 1e-12f,
                        .out = expected.data(),
                        .rows = kRows,
                        .width = kWidth};
  Kernels(IsaLevel::kScalar).layer_norm(args);
  args.out = y.data();
  BestKernels().layer_norm(args);
  if (DifferentBits(y, expected) != 0) return state.SkipWithError("layer norm differs from the scalar reference");
  for (auto _ : state) {
    BestKernels().layer_norm(args);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(x.size()));
}
BENCHMARK(BM_LayerNorm);

}  // namespace
}  // namespace ks

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  ks::FailingReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  benchmark::Shutdown();
  return reporter.failed() ? 1 : 0;
}
