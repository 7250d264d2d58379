// The AVX-512 instructions that lanes_avx512.h and lanes_avx512vnni.h use, written out over AVX2, so that tests walk those
// lanes on CPUs without them. What each means: Intel's Software Developer's Manual, volume 2, by the instruction's name.
//
// Names are those of the intrinsics, in this namespace: the lanes, which stand in it too, find these first. Include this
// before them, in a source that defines nothing for others to share (lanes_scalar.h says why).
#pragma once

#include <immintrin.h>

// Some compilers have these as macros, which know no namespace.
#undef _mm512_cmp_ps_mask
#undef _mm512_extractf32x8_ps
#undef _mm512_setr_epi32
#undef _mm512_shuffle_f32x4
#undef _mm512_shuffle_ps
#undef _mm512_slli_epi16
#undef _mm512_slli_epi32
#undef _mm512_srai_epi16
#undef _mm512_srai_epi32
#undef _mm512_srli_epi16

namespace ks {

struct __m512 {
  __m256 low, high;
};
struct __m512i {
  __m256i low, high;
};

// A register as numbers of T, and back.
template <typename T>
struct Numbers512 {
  T v[64 / sizeof(T)];
};
template <typename T, typename Register>
Numbers512<T> Split512(const Register& a) {
  return __builtin_bit_cast(Numbers512<T>, a);
}
template <typename Register, typename T>
Register Join512(const Numbers512<T>& numbers) {
  return __builtin_bit_cast(Register, numbers);
}

// --- What AVX2 does to each half ---

#define KS_FLOATS(name)                                                  \
  inline __m512 _mm512_##name(__m512 a, __m512 b) {                      \
    return {_mm256_##name(a.low, b.low), _mm256_##name(a.high, b.high)}; \
  }
#define KS_INTS(name, half)                                              \
  inline __m512i _mm512_##name(__m512i a, __m512i b) {                   \
    return {_mm256_##half(a.low, b.low), _mm256_##half(a.high, b.high)}; \
  }
#define KS_SHIFT(name)                                                  \
  inline __m512i _mm512_##name(__m512i a, int count) {                  \
    return {_mm256_##name(a.low, count), _mm256_##name(a.high, count)}; \
  }
KS_FLOATS(add_ps)
KS_FLOATS(sub_ps)
KS_FLOATS(mul_ps)
KS_FLOATS(div_ps)
KS_FLOATS(max_ps)
KS_FLOATS(min_ps)
KS_FLOATS(and_ps)
KS_FLOATS(andnot_ps)
KS_FLOATS(or_ps)
KS_FLOATS(unpacklo_ps)
KS_FLOATS(unpackhi_ps)
KS_INTS(add_epi32, add_epi32)
KS_INTS(sub_epi32, sub_epi32)
KS_INTS(mullo_epi32, mullo_epi32)
KS_INTS(max_epi32, max_epi32)
KS_INTS(max_epu32, max_epu32)
KS_INTS(madd_epi16, madd_epi16)
KS_INTS(adds_epi16, adds_epi16)
KS_INTS(packs_epi32, packs_epi32)
KS_INTS(packus_epi16, packus_epi16)
KS_INTS(and_si512, and_si256)
KS_INTS(or_si512, or_si256)
KS_SHIFT(slli_epi16)
KS_SHIFT(slli_epi32)
KS_SHIFT(srai_epi16)
KS_SHIFT(srai_epi32)
KS_SHIFT(srli_epi16)
#undef KS_FLOATS
#undef KS_INTS
#undef KS_SHIFT

inline __m512 _mm512_fmadd_ps(__m512 a, __m512 b, __m512 c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}

// --- To and from memory, constants, other types ---

inline __m512 _mm512_set1_ps(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
inline __m512i _mm512_set1_epi32(int x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
inline __m512i _mm512_set1_epi16(short x) { return {_mm256_set1_epi16(x), _mm256_set1_epi16(x)}; }
inline __m512 _mm512_setzero_ps() { return _mm512_set1_ps(0.0f); }
inline __m512i _mm512_setzero_si512() { return _mm512_set1_epi32(0); }
template <typename... Ints>
__m512i _mm512_setr_epi32(Ints... x) {
  return Join512<__m512i>(Numbers512<int>{{x...}});
}
inline __m512 _mm512_loadu_ps(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
inline void _mm512_storeu_ps(float* p, __m512 a) {
  _mm256_storeu_ps(p, a.low);
  _mm256_storeu_ps(p + 8, a.high);
}
inline __m512i _mm512_loadu_si512(const void* p) {
  __m512i a;
  __builtin_memcpy(&a, p, sizeof(a));
  return a;
}
inline void _mm512_storeu_si512(void* p, __m512i a) { __builtin_memcpy(p, &a, sizeof(a)); }

inline __m512i _mm512_castps_si512(__m512 a) { return __builtin_bit_cast(__m512i, a); }
inline __m512 _mm512_castsi512_ps(__m512i a) { return __builtin_bit_cast(__m512, a); }
inline __m256 _mm512_castps512_ps256(__m512 a) { return a.low; }
inline __m256 _mm512_extractf32x8_ps(__m512 a, int half) { return half == 0 ? a.low : a.high; }
inline __m512 _mm512_cvtepi32_ps(__m512i a) { return {_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high)}; }
inline __m512i _mm512_cvtps_epi32(__m512 a) { return {_mm256_cvtps_epi32(a.low), _mm256_cvtps_epi32(a.high)}; }
inline __m512 _mm512_cvtph_ps(__m256i halves) {
  return {_mm256_cvtph_ps(_mm256_castsi256_si128(halves)), _mm256_cvtph_ps(_mm256_extracti128_si256(halves, 1))};
}
inline __m512i _mm512_cvtepu8_epi32(__m128i bytes) {
  return {_mm256_cvtepu8_epi32(bytes), _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8))};
}

// --- Masks: bit i is of number i ---

inline __mmask16 _mm512_cmp_ps_mask(__m512 a, __m512 b, int predicate) {
  if (predicate != _CMP_LT_OQ) __builtin_trap();  // the only one that the lanes ask for
  const Numbers512<float> x = Split512<float>(a), y = Split512<float>(b);
  unsigned mask = 0;
  for (int i = 0; i < 16; ++i) mask |= x.v[i] < y.v[i] ? 1u << i : 0u;
  return static_cast<__mmask16>(mask);
}

// Numbers of `yes` where the mask has a one, of `no` elsewhere.
template <typename T, typename Register>
Register Blend512(unsigned long long mask, const Register& no, const Register& yes) {
  Numbers512<T> blended = Split512<T>(no);
  const Numbers512<T> other = Split512<T>(yes);
  for (unsigned i = 0; i < sizeof(blended.v) / sizeof(T); ++i) {
    if (mask >> i & 1) blended.v[i] = other.v[i];
  }
  return Join512<Register>(blended);
}
inline __m512 _mm512_mask_blend_ps(__mmask16 mask, __m512 no, __m512 yes) { return Blend512<float>(mask, no, yes); }
inline __m512i _mm512_mask_blend_epi16(__mmask32 mask, __m512i no, __m512i yes) {
  return Blend512<short>(mask, no, yes);
}
inline __m512i _mm512_mask_blend_epi8(__mmask64 mask, __m512i no, __m512i yes) { return Blend512<char>(mask, no, yes); }
inline __m512 _mm512_maskz_mov_ps(__mmask16 mask, __m512 a) { return Blend512<float>(mask, _mm512_setzero_ps(), a); }

// Where the mask has a zero, memory is not touched. Numbers may lie anywhere.
template <typename T, typename Register>
Register LoadMasked(unsigned mask, const void* p) {
  Register loaded = {};
  for (unsigned long i = 0; i < sizeof(Register) / sizeof(T); ++i) {
    const unsigned long at = i * sizeof(T);
    if (mask >> i & 1)
      __builtin_memcpy(reinterpret_cast<char*>(&loaded) + at, static_cast<const char*>(p) + at, sizeof(T));
  }
  return loaded;
}
inline __m512 _mm512_maskz_loadu_ps(__mmask16 mask, const void* p) { return LoadMasked<float, __m512>(mask, p); }
inline __m256i _mm256_maskz_loadu_epi16(__mmask16 mask, const void* p) { return LoadMasked<short, __m256i>(mask, p); }
inline __m128i _mm_maskz_loadu_epi8(__mmask16 mask, const void* p) { return LoadMasked<char, __m128i>(mask, p); }
inline void _mm512_mask_storeu_ps(void* p, __mmask16 mask, __m512 a) {
  const Numbers512<float> numbers = Split512<float>(a);
  for (int i = 0; i < 16; ++i) {
    if (mask >> i & 1) __builtin_memcpy(static_cast<char*>(p) + 4 * i, &numbers.v[i], 4);
  }
}
inline void _mm512_mask_cvtusepi32_storeu_epi8(unsigned char* p, __mmask16 mask, __m512i a) {
  const Numbers512<unsigned> numbers = Split512<unsigned>(a);
  for (int i = 0; i < 16; ++i) {
    if (mask >> i & 1) p[i] = static_cast<unsigned char>(numbers.v[i] < 255 ? numbers.v[i] : 255);
  }
}

// --- Places ---

inline __m512i _mm512_permutexvar_epi32(__m512i places, __m512i a) {
  const Numbers512<int> from = Split512<int>(a), place = Split512<int>(places);
  Numbers512<int> permuted;
  for (int i = 0; i < 16; ++i) permuted.v[i] = from.v[place.v[i] & 15];
  return Join512<__m512i>(permuted);
}
// Of each part of four numbers, two of a, then two of b; `select` has two bits for each.
inline __m512 _mm512_shuffle_ps(__m512 a, __m512 b, int select) {
  const Numbers512<float> x = Split512<float>(a), y = Split512<float>(b);
  Numbers512<float> shuffled;
  for (int i = 0; i < 16; ++i) shuffled.v[i] = (i % 4 < 2 ? x : y).v[i / 4 * 4 + (select >> 2 * (i % 4) & 3)];
  return Join512<__m512>(shuffled);
}
// The same of whole parts.
inline __m512 _mm512_shuffle_f32x4(__m512 a, __m512 b, int select) {
  const Numbers512<float> x = Split512<float>(a), y = Split512<float>(b);
  Numbers512<float> shuffled;
  for (int i = 0; i < 16; ++i) shuffled.v[i] = (i < 8 ? x : y).v[4 * (select >> 2 * (i / 4) & 3) + i % 4];
  return Join512<__m512>(shuffled);
}

// --- Over all numbers ---

template <typename T>
T Largest512(__m512i a) {
  const Numbers512<T> numbers = Split512<T>(a);
  T largest = numbers.v[0];
  for (const T number : numbers.v) largest = number > largest ? number : largest;
  return largest;
}
inline int _mm512_reduce_max_epi32(__m512i a) { return Largest512<int>(a); }
inline unsigned _mm512_reduce_max_epu32(__m512i a) { return Largest512<unsigned>(a); }

// --- VNNI: sums modulo 2^32 ---

inline __m512i _mm512_dpwssd_epi32(__m512i sum, __m512i a, __m512i b) {
  return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b));
}
inline __m512i _mm512_dpbusd_epi32(__m512i sum, __m512i u, __m512i s) {
  Numbers512<unsigned> sums = Split512<unsigned>(sum);
  const Numbers512<unsigned char> x = Split512<unsigned char>(u);
  const Numbers512<signed char> y = Split512<signed char>(s);
  for (int i = 0; i < 64; ++i) sums.v[i / 4] += static_cast<unsigned>(x.v[i] * y.v[i]);
  return Join512<__m512i>(sums);
}

}  // namespace ks
