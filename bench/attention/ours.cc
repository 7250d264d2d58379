// Our side of bench/attention/run.py: times attention over packed batches of given lengths, on one thread.
//
//   attention_ours PRECISION HEADS HEAD_SIZE ROUNDS LENGTHS QKV OUT [ISA]
//
// PRECISION is fp32 or int8, whose time has the quantisation of keys and values in it. LENGTHS is text, a batch a line;
// QKV holds float32 [T, 3 * H] for the largest batch, of which each batch reads the first rows. Prints the median
// nanoseconds of each batch's rounds, a batch a line, and writes the outputs [T, H] of all batches to OUT.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/dispatch.h"

namespace {

std::vector<float> ReadFloats(const char* path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return {};
  std::vector<float> values(static_cast<size_t>(file.tellg()) / sizeof(float));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
  return values;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view precision = argc > 1 ? argv[1] : "";
  if ((argc != 8 && argc != 9) || (precision != "fp32" && precision != "int8")) {
    std::fprintf(stderr, "usage: attention_ours fp32|int8 HEADS HEAD_SIZE ROUNDS LENGTHS QKV OUT [ISA]\n");
    return 2;
  }
  const int heads = std::atoi(argv[2]);
  const int head_size = std::atoi(argv[3]);
  const int rounds = std::atoi(argv[4]);
  const ks::IsaLevel isa = argc == 9 ? ks::IsaFromName(argv[8]).value_or(ks::BestIsa()) : ks::BestIsa();
  if (heads < 1 || head_size < 1 || rounds < 1 || !ks::IsSupported(isa)) {
    std::fprintf(stderr, "attention_ours: HEADS, HEAD_SIZE and ROUNDS must be at least 1, ISA one that the CPU has\n");
    return 2;
  }
  const size_t width = static_cast<size_t>(heads) * head_size;
  const std::vector<float> qkv = ReadFloats(argv[6]);
  std::ifstream batches(argv[5]);
  std::ofstream outputs(argv[7], std::ios::binary);
  std::string line;
  while (std::getline(batches, line)) {
    std::istringstream lengths(line);
    std::vector<int32_t> offsets = {0};
    for (int length = 0; lengths >> length;) offsets.push_back(offsets.back() + length);
    const size_t tokens = static_cast<size_t>(offsets.back());
    if (tokens * 3 * width > qkv.size()) {
      std::fprintf(stderr, "attention_ours: a batch of %zu tokens, but %s holds %zu\n", tokens, argv[6],
                   qkv.size() / (3 * width));
      return 2;
    }
    std::vector<float> out(tokens * width);
    const ks::AttentionArgs args = {.q = qkv.data(),
                                    .k = qkv.data() + width,
                                    .v = qkv.data() + 2 * width,
                                    .row_stride = 3 * width,
                                    .offsets = offsets.data(),
                                    .sequences = static_cast<int>(offsets.size()) - 1,
                                    .heads = heads,
                                    .head_size = head_size,
                                    .out = out.data(),
                                    .out_stride = width};
    std::vector<int64_t> times;
    for (int round = -1; round < rounds; ++round) {  // the first is not counted
      const auto start = std::chrono::steady_clock::now();
      if (precision == "int8") {
        ks::RunAll(ks::Int8AttentionTasks(ks::Kernels(isa), args));
      } else {
        ks::RunAll(ks::AttentionTasks(ks::Kernels(isa), args));
      }
      const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - start;
      if (round >= 0) times.push_back(took.count());
    }
    std::ranges::nth_element(times, times.begin() + rounds / 2);
    std::printf("%lld\n", static_cast<long long>(times[static_cast<size_t>(rounds) / 2]));
    outputs.write(reinterpret_cast<const char*>(out.data()), static_cast<std::streamsize>(out.size() * sizeof(float)));
  }
  return outputs.flush() ? 0 : 1;
}
