// What a core can do at most, for the benchmarks that show shares of it: products of bytes on registers alone, and reading
// weights and nothing else.
#pragma once

#include <cstddef>
#include <span>

namespace ks {

// Reads every byte of whole 512, once.
__attribute__((target_clones("avx512f", "avx2", "default"))) inline void ReadBytes(std::span<const std::byte> bytes) {
  using Line = long long __attribute__((vector_size(64), aligned(1), may_alias));
  constexpr size_t kLines = 8;
  Line sums[kLines] = {};
  const auto* const lines = reinterpret_cast<const Line*>(bytes.data());
  for (size_t i = 0; i + kLines <= bytes.size() / sizeof(Line); i += kLines) {
    for (size_t j = 0; j < kLines; ++j) sums[j] ^= lines[i + j];
  }
  for (const Line& sum : sums) asm volatile("" ::"m"(sum));  // so that the reading stays
}

#if defined(__x86_64__)
// A call adds kProductRounds products to each of kSums sums, which wait for nothing but themselves: with 12 of them the
// latency is hidden, and more change nothing. In assembly, since a compiler that puts a sum into memory would measure that.
inline constexpr int kProductRounds = 1000;

// The instructions of one sum, the register %%ymmN or %%zmmN of `sum`; at most 12 where another register is needed.
#define KS_FOR_EACH_SUM(instructions)                                                                                \
  for (int round = 0; round < kProductRounds; ++round) {                                                             \
    asm volatile(                                                                                                    \
        ".irp sum, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"                                           \
        ".if \\sum < %c0\n" instructions ".endif\n.endr\n" ::"i"(kSums)                                              \
        : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", \
          "xmm13", "xmm14", "xmm15");                                                                                \
  }

// 32 products an instruction, which saturates, and two more to add them up: an exact product takes more.
template <int kSums>
__attribute__((target("avx2"))) void Avx2Products() {
  static_assert(kSums <= 12);
  KS_FOR_EACH_SUM(
      "vpmaddubsw %%ymm12, %%ymm13, %%ymm15\n"
      "vpmaddwd %%ymm14, %%ymm15, %%ymm15\n"
      "vpaddd %%ymm15, %%ymm\\sum, %%ymm\\sum\n")
}

// The same, 64 at a time.
template <int kSums>
__attribute__((target("avx512f,avx512bw"))) void Avx512Products() {
  static_assert(kSums <= 12);
  KS_FOR_EACH_SUM(
      "vpmaddubsw %%zmm12, %%zmm13, %%zmm15\n"
      "vpmaddwd %%zmm14, %%zmm15, %%zmm15\n"
      "vpaddd %%zmm15, %%zmm\\sum, %%zmm\\sum\n")
}

// 64 products an instruction, exact.
template <int kSums>
__attribute__((target("avx512f,avx512vnni"))) void VnniProducts() {
  static_assert(kSums <= 16);
  KS_FOR_EACH_SUM("vpdpbusd %%zmm17, %%zmm16, %%zmm\\sum\n")
}
#undef KS_FOR_EACH_SUM
#endif

}  // namespace ks
