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
  static constexpr int kDeep = 4;

  using Weights = __m512i;
  using Inputs = __m512i;
  static Weights LoadWeights(const signed char* p) { return _mm512_loadu_si512(p); }
  static Inputs LoadInputs(const unsigned char* p) {
    int four;
    __builtin_memcpy(&four, p, sizeof(four));
    return _mm512_set1_epi32(four);
  }
  using ColumnSums = typename Avx512LanesBase<Self>::ColumnSums;
  static I SubZeroPoint(I sum, int zero_point, ColumnSums column_sums) {
    return _mm512_dpwssd_epi32(sum, _mm512_set1_epi32(zero_point), column_sums.parts);
  }
  static I Dot(I sum, Inputs q, Weights w) { return _mm512_dpbusd_epi32(sum, q, w); }
  // In assembly: in the loops of attention g++ 12 copies each sum before the intrinsic and stores it behind, every step.
  static I DotDeep(I sum, I u, I s) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(u), "v"(s));
    return sum;
  }
  static I JoinFour(I a, I b, I c, I d) { return Avx512LanesBase<Self>::JoinTwo(JoinBytes(a, b), JoinBytes(c, d)); }

 private:
  static I JoinBytes(I a, I b) { return _mm512_mask_blend_epi8(0x2222222222222222, a, _mm512_slli_epi32(b, 8)); }
};

struct Avx512VnniLanes : Avx512VnniLanesBase<Avx512VnniLanes> {};

// Beside tiles: what is no int8 linear, and what tiles leave of one.
struct Avx512AmxLanes : Avx512VnniLanesBase<Avx512AmxLanes> {};

}  // namespace ks
