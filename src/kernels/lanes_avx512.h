// 16 virtual lanes in one AVX-512 register; lanes_scalar.h says what each operation means.
//
// Two instruction sets have these lanes. `Self` keeps their functions apart: each is compiled with its own flags, and
// the linker must not take one's copy for the other's.
#pragma once

#include <immintrin.h>

namespace ks {

template <typename Self>
struct Avx512LanesBase {
  using F = __m512;
  using I = __m512i;
  // Parts of 7 and of 16 bits, which are multiplied by -zero_point and -128 * zero_point: a sum of two products of 16-bit
  // numbers takes one operation.
  struct ColumnSums {
    I parts;
  };

  static constexpr int kQueryVectors = 2;
  static constexpr int kKeyTile = 12, kKeySmall = 4;
  static constexpr int kRowTile = 12, kRowSmall = 4, kRowColumns = 2;
  static constexpr int kLinearRows = 4, kLinearOutputs = 6;
  static constexpr int kValueSteps = 1;
  static constexpr int kWide = 4;
  static constexpr int kInt8Finished = 8;  // a chain of four operations' latency, two started a cycle

  static F Zero() { return _mm512_setzero_ps(); }
  static F Set(float x) { return _mm512_set1_ps(x); }
  static F Load(const float* p) { return _mm512_loadu_ps(p); }
  static F LoadFirst(const float* p, int n) { return _mm512_maskz_loadu_ps(First(n), p); }
  static void Store(float* p, F x) { _mm512_storeu_ps(p, x); }
  static void StoreFirst(float* p, F x, int n) { _mm512_mask_storeu_ps(p, First(n), x); }
  static F KeepFirst(F x, int n) { return n == 16 ? x : _mm512_maskz_mov_ps(First(n), x); }

  static F Add(F a, F b) { return _mm512_add_ps(a, b); }
  static F Sub(F a, F b) { return _mm512_sub_ps(a, b); }
  static F Mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static F Div(F a, F b) { return _mm512_div_ps(a, b); }
  static F Fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static F Max(F a, F b) { return _mm512_max_ps(a, b); }
  static F Min(F a, F b) { return _mm512_min_ps(a, b); }
  static F Abs(F a) { return _mm512_andnot_ps(Set(-0.0f), a); }
  static F CopySign(F magnitude, F sign) { return _mm512_or_ps(Abs(magnitude), _mm512_and_ps(Set(-0.0f), sign)); }
  static F SelectLess(F a, F b, F yes, F no) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), no, yes);
  }
  static F PowerOfTwo(F x, F t) {
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(x), _mm512_slli_epi32(_mm512_castps_si512(t), 23)));
  }
  static float Sum(F x) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  // Bits without a sign are in the order of the numbers, those with one as unsigned integers in the order of their sizes.
  static F TotalMax(F a, F b) {
    return _mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
  }
  static F TotalMin(F a, F b) {
    return _mm512_castsi512_ps(_mm512_max_epu32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
  }
  static float Highest(F x) { return __builtin_bit_cast(float, _mm512_reduce_max_epi32(_mm512_castps_si512(x))); }
  static float Lowest(F x) { return __builtin_bit_cast(float, _mm512_reduce_max_epu32(_mm512_castps_si512(x))); }
  // As TransposeScaled, with the larger of two kept where it would keep both.
  static F HighestOfEach(const F (&x)[16]) {
    F a[8], b[4], c[2];
    for (int i = 0; i < 8; ++i) {
      a[i] = TotalMax(_mm512_unpacklo_ps(x[2 * i], x[2 * i + 1]), _mm512_unpackhi_ps(x[2 * i], x[2 * i + 1]));
    }
    for (int i = 0; i < 4; ++i) {
      b[i] = TotalMax(_mm512_shuffle_ps(a[2 * i], a[2 * i + 1], 0x44), _mm512_shuffle_ps(a[2 * i], a[2 * i + 1], 0xee));
    }
    for (int i = 0; i < 2; ++i) {
      c[i] = TotalMax(_mm512_shuffle_f32x4(b[2 * i], b[2 * i + 1], 0x44),
                      _mm512_shuffle_f32x4(b[2 * i], b[2 * i + 1], 0xee));
    }
    return TotalMax(_mm512_shuffle_f32x4(c[0], c[1], 0x88), _mm512_shuffle_f32x4(c[0], c[1], 0xdd));
  }
  static float Sqrt(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }

  static F LoadHalf(const unsigned short* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static F LoadHalfFirst(const unsigned short* p, int n) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(First(n), p));
  }

  static I ZeroInts() { return _mm512_setzero_si512(); }
  static I SetInts(int x) { return _mm512_set1_epi32(x); }
  static I LoadInts(const int* p) { return _mm512_loadu_si512(p); }
  static void StoreInts(int* p, I a) { _mm512_storeu_si512(p, a); }
  static I AddInts(I a, I b) { return _mm512_add_epi32(a, b); }
  static I SubInts(I a, I b) { return _mm512_sub_epi32(a, b); }
  static I MulInts(I a, I b) { return _mm512_mullo_epi32(a, b); }
  static ColumnSums LoadColumnSums(const int* p) {
    const I sums = LoadInts(p);
    const I low = _mm512_and_si512(sums, SetInts(0x7f));
    return {_mm512_or_si512(low, _mm512_slli_epi32(_mm512_srai_epi32(sums, 7), 16))};
  }
  static int ZeroPoint(int zero_point) {
    const unsigned low = static_cast<unsigned>(-zero_point) & 0xffff;
    const unsigned high = static_cast<unsigned>(-128 * zero_point) << 16;
    return static_cast<int>(high | low);
  }
  static I JoinTwo(I a, I b) { return _mm512_mask_blend_epi16(0xaaaaaaaa, a, _mm512_slli_epi32(b, 16)); }
  static I LoadBytes(const unsigned char* p, int n, int offset) {
    return _mm512_add_epi32(_mm512_cvtepu8_epi32(Bytes(p, n)), SetInts(offset));
  }
  static void WidenBytes(short* out, const unsigned char* p, int n) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_cvtepu8_epi16(Bytes(p, n)));
  }
  static I RoundToInts(F x) { return _mm512_cvtps_epi32(x); }
  static F Exponent(F x, F* mantissa) {
    const I bits = _mm512_castps_si512(x);
    const I n = _mm512_srai_epi32(SubInts(bits, SetInts(0x3f3504f3)), 23);  // sqrt(1/2)
    *mantissa = _mm512_castsi512_ps(SubInts(bits, _mm512_slli_epi32(n, 23)));
    return ToFloats(n);
  }
  static F ToFloats(I a) { return _mm512_cvtepi32_ps(a); }
  static void StoreBytes(unsigned char* p, F x, int offset, int n) {
    const I sum = _mm512_add_epi32(_mm512_cvtps_epi32(x), SetInts(offset));
    _mm512_mask_cvtusepi32_storeu_epi8(p, First(n), _mm512_max_epi32(sum, ZeroInts()));
  }
  // Packing saturates twice, within 128 bits: the order comes back at the end.
  static void StoreBytes(unsigned char* p, const F (&x)[4], int offset) {
    const I offsets = _mm512_set1_epi16(static_cast<short>(offset));
    const I first = _mm512_adds_epi16(_mm512_packs_epi32(RoundToInts(x[0]), RoundToInts(x[1])), offsets);
    const I second = _mm512_adds_epi16(_mm512_packs_epi32(RoundToInts(x[2]), RoundToInts(x[3])), offsets);
    const I order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    _mm512_storeu_si512(p, _mm512_permutexvar_epi32(order, _mm512_packus_epi16(first, second)));
  }

  static void TransposeScaled(const float* in, unsigned long in_stride, int rows, int columns, float scale, float* out,
                              unsigned long out_stride) {
    const F factor = Set(scale);
    __m512 a[16], b[16];
    for (int r = 0; r < 16; ++r) a[r] = r < rows ? Mul(LoadFirst(in + r * in_stride, columns), factor) : Zero();
    // Pairs, then quads, within each 128-bit part; then the parts change places.
    for (int i = 0; i < 16; i += 2) {
      b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
      b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
      a[i] = _mm512_shuffle_ps(b[i], b[i + 2], 0x44);
      a[i + 1] = _mm512_shuffle_ps(b[i], b[i + 2], 0xee);
      a[i + 2] = _mm512_shuffle_ps(b[i + 1], b[i + 3], 0x44);
      a[i + 3] = _mm512_shuffle_ps(b[i + 1], b[i + 3], 0xee);
    }
    // a[4 * g + c] has, in part p, column 4 * p + c of the rows 4 * g .. 4 * g + 3.
    for (int c = 0; c < 4; ++c) {
      const __m512 even01 = _mm512_shuffle_f32x4(a[c], a[4 + c], 0x88);
      const __m512 even23 = _mm512_shuffle_f32x4(a[8 + c], a[12 + c], 0x88);
      const __m512 odd01 = _mm512_shuffle_f32x4(a[c], a[4 + c], 0xdd);
      const __m512 odd23 = _mm512_shuffle_f32x4(a[8 + c], a[12 + c], 0xdd);
      b[c] = _mm512_shuffle_f32x4(even01, even23, 0x88);
      b[8 + c] = _mm512_shuffle_f32x4(even01, even23, 0xdd);
      b[4 + c] = _mm512_shuffle_f32x4(odd01, odd23, 0x88);
      b[12 + c] = _mm512_shuffle_f32x4(odd01, odd23, 0xdd);
    }
    for (int c = 0; c < columns; ++c) Store(out + c * out_stride, b[c]);
  }

 private:
  static __m128i Bytes(const unsigned char* p, int n) {
    return n == 16 ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)) : _mm_maskz_loadu_epi8(First(n), p);
  }
  static __mmask16 First(int n) { return static_cast<__mmask16>((1u << n) - 1u); }
};

// Without byte products that are exact, bytes are widened to 16 bits: the even ones of each four, then the odd ones.
template <typename Self>
struct Avx512WordLanesBase : Avx512LanesBase<Self> {
  using I = typename Avx512LanesBase<Self>::I;
  using ColumnSums = typename Avx512LanesBase<Self>::ColumnSums;
  static constexpr int kInt8Rows = 8, kInt8Blocks = 2;
  static constexpr int kDeep = 2;

  struct Weights {
    __m512i even, odd;
  };
  struct Inputs {
    __m512i even, odd;
  };
  static Weights LoadWeights(const signed char* p) {
    const __m512i bytes = _mm512_loadu_si512(p);
    return {_mm512_srai_epi16(_mm512_slli_epi16(bytes, 8), 8), _mm512_srai_epi16(bytes, 8)};
  }
  static Inputs LoadInputs(const unsigned char* p) {
    int four;
    __builtin_memcpy(&four, p, sizeof(four));
    const __m512i bytes = _mm512_set1_epi32(four);
    return {_mm512_and_si512(bytes, _mm512_set1_epi16(0xff)), _mm512_srli_epi16(bytes, 8)};
  }
  static I Dot(I sum, Inputs q, Weights w) { return DotDeep(DotDeep(sum, q.even, w.even), q.odd, w.odd); }
  static I SubZeroPoint(I sum, int zero_point, ColumnSums column_sums) {
    return DotDeep(sum, _mm512_set1_epi32(zero_point), column_sums.parts);
  }
  static I DotDeep(I sum, I u, I s) { return _mm512_add_epi32(sum, _mm512_madd_epi16(u, s)); }
};

struct Avx512Lanes : Avx512WordLanesBase<Avx512Lanes> {};

}  // namespace ks
