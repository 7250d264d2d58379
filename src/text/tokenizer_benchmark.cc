// Encoding tweets and long reviews, ids alone and with offsets, and opening the compiled form. The comparison with the
// reference is bench/tokenizer.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/mapped_file.h"
#include "text/tokenizer.h"

namespace ks {
namespace {

constexpr std::string_view kTweet =
    "@user I can't believe it\u2019s already Friday!! Best. Week. Ever. \U0001f600 #blessed https://t.co/AbC123xYz";

const Tokenizer& Default() {
  static const Tokenizer* const tokenizer = new Tokenizer(
      *Tokenizer::FromJson(*ReadFile(KS_SOURCE_DIR "/models/default/tokenizer.json", 8 << 20), "tokenizer.json"));
  return *tokenizer;
}

std::string Text(int tweets) {
  std::string text;
  for (int i = 0; i < tweets; ++i) text += kTweet;
  return text;
}

void Encode(benchmark::State& state, bool with_offsets) {
  const std::string text = Text(static_cast<int>(state.range(0)));
  Encoding encoding;
  for (auto _ : state) {
    benchmark::DoNotOptimize(Default().Encode(text, {.with_offsets = with_offsets}, encoding).ok());
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
}
BENCHMARK_CAPTURE(Encode, ids, false)->Arg(1)->Arg(16);
BENCHMARK_CAPTURE(Encode, offsets, true)->Arg(1)->Arg(16);

void Open(benchmark::State& state) {
  const std::string bytes = Default().Compile();
  for (auto _ : state) benchmark::DoNotOptimize(Tokenizer::FromCompiled(std::as_bytes(std::span(bytes))).ok());
}
BENCHMARK(Open);

// The reference's ids of kTweet; nothing is timed if ours differ.
bool Check() {
  Encoding encoding;
  const std::vector<int32_t> expected = {101,  1030, 5310, 1045,  2064,  1005,  1056, 2903, 2009, 1521,
                                         1055, 2525, 5958, 999,   999,   2190,  1012, 2733, 1012, 2412,
                                         1012, 100,  1001, 10190, 16770, 1024,  1013, 1013, 1056, 1012,
                                         2522, 1013, 5925, 12521, 2509,  18037, 2480, 102};
  return Default().Encode(kTweet, {}, encoding).ok() && encoding.ids == expected;
}

}  // namespace
}  // namespace ks

int main(int argc, char** argv) {
  if (!ks::Check()) {
    std::fprintf(stderr, "tokenizer_benchmark: the ids differ from the reference\n");
    return EXIT_FAILURE;
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return EXIT_SUCCESS;
}
