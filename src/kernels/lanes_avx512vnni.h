// The AVX-512 lanes with vpdpbusd: 64 products of bytes, each lane's four added to its 32-bit sum without saturation.
#pragma once

#include "kernels/lanes_avx512.h"

namespace ks {

template <typename Self>
struct Avx512VnniLanesBase : Avx512LanesBase<Self> {
  using I = typename Avx512LanesBase<Self>::I;
  // 24 sums, 3 registers of weights and the broadcast inputs fill the 32 registers; 3 blocks are 48 outputs, which
  // divides the widths of all the usual encoders.
  static constexpr int kInt8Rows = 8, kInt8Blocks = 3;

  using Weights = __m512i;
  using Inputs = __m512i;
  static Weights LoadWeights(const signed char* p) { return _mm512_loadu_si512(p); }
  static Inputs LoadInputs(const unsigned char* p) {
    int four;
    __builtin_memcpy(&four, p, sizeof(four));
    return _mm512_set1_epi32(four);
  }
  static I Dot(I sum, Inputs q, Weights w) { return _mm512_dpbusd_epi32(sum, q, w); }
};

struct Avx512VnniLanes : Avx512VnniLanesBase<Avx512VnniLanes> {};

// Beside tiles: what is no int8 linear, and what tiles leave of one.
struct Avx512AmxLanes : Avx512VnniLanesBase<Avx512AmxLanes> {};

}  // namespace ks
