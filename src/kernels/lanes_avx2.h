// 16 virtual lanes in two AVX2 registers; lanes_scalar.h says what each operation means.
#pragma once

#include <immintrin.h>

namespace ks {

struct Avx2Lanes {
  struct F {
    __m256 low, high;
  };
  struct I {
    __m256i low, high;
  };
  // Parts of 7 and of 16 bits, which are multiplied by -zero_point and -128 * zero_point: vpmaddwd adds the two.
  struct ColumnSums {
    I parts;
  };

  static constexpr int kQueryVectors = 1;
  static constexpr int kKeyTile = 6, kKeySmall = 2;
  static constexpr int kRowTile = 6, kRowSmall = 2, kRowColumns = 1;
  static constexpr int kLinearRows = 2, kLinearOutputs = 2;
  static constexpr int kDeep = 2, kValueSteps = 2;
  static constexpr int kWide = 2;
  static constexpr int kInt8Finished = kWide;

  static F Zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static F Set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  static F Load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static F LoadFirst(const float* p, int n) {
    return {_mm256_maskload_ps(p, First(n)), n > 8 ? _mm256_maskload_ps(p + 8, First(n - 8)) : _mm256_setzero_ps()};
  }
  static void Store(float* p, F x) {
    _mm256_storeu_ps(p, x.low);
    _mm256_storeu_ps(p + 8, x.high);
  }
  static void StoreFirst(float* p, F x, int n) {
    if (n == 16) return Store(p, x);  // a masked store is microcoded on Zen
    _mm256_maskstore_ps(p, First(n), x.low);
    if (n > 8) _mm256_maskstore_ps(p + 8, First(n - 8), x.high);
  }
  static F KeepFirst(F x, int n) {
    if (n == 16) return x;
    return {_mm256_and_ps(x.low, _mm256_castsi256_ps(First(n))),
            _mm256_and_ps(x.high, _mm256_castsi256_ps(First(n - 8)))};
  }

  static F Add(F a, F b) { return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
  static F Sub(F a, F b) { return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)}; }
  static F Mul(F a, F b) { return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
  static F Div(F a, F b) { return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)}; }
  static F Fma(F a, F b, F c) {
    return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
  }
  static F Max(F a, F b) { return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)}; }
  static F Min(F a, F b) { return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)}; }
  static F Abs(F a) { return {AbsHalf(a.low), AbsHalf(a.high)}; }
  static F CopySign(F magnitude, F sign) {
    return {CopySignHalf(magnitude.low, sign.low), CopySignHalf(magnitude.high, sign.high)};
  }
  static F SelectLess(F a, F b, F yes, F no) {
    return {_mm256_blendv_ps(no.low, yes.low, _mm256_cmp_ps(a.low, b.low, _CMP_LT_OQ)),
            _mm256_blendv_ps(no.high, yes.high, _mm256_cmp_ps(a.high, b.high, _CMP_LT_OQ))};
  }
  static F PowerOfTwo(F x, F t) { return {PowerOfTwoHalf(x.low, t.low), PowerOfTwoHalf(x.high, t.high)}; }
  static float Sum(F x) {
    const __m256 eight = _mm256_add_ps(x.low, x.high);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  // Bits without a sign are in the order of the numbers, those with one as unsigned integers in the order of their sizes.
  static F TotalMax(F a, F b) { return {TotalMaxHalf(a.low, b.low), TotalMaxHalf(a.high, b.high)}; }
  static F TotalMin(F a, F b) {
    return Floats({_mm256_max_epu32(Bits(a).low, Bits(b).low), _mm256_max_epu32(Bits(a).high, Bits(b).high)});
  }
  static float Highest(F x) { return Last(x); }
  static float Lowest(F x) { return Last(x); }
  static F HighestOfEach(const F (&x)[16]) { return {HighestOfEight(x), HighestOfEight(x + 8)}; }
  static float Sqrt(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }

  static F LoadHalf(const unsigned short* p) {
    const __m128i* const halves = reinterpret_cast<const __m128i*>(p);
    return {_mm256_cvtph_ps(_mm_loadu_si128(halves)), _mm256_cvtph_ps(_mm_loadu_si128(halves + 1))};
  }
  static F LoadHalfFirst(const unsigned short* p, int n) {
    unsigned short padded[16] = {};
    __builtin_memcpy(padded, p, static_cast<unsigned long>(n) * sizeof(*p));
    return LoadHalf(padded);
  }

  static I SetInts(int x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
  static I LoadInts(const void* p) {
    const __m256i* const halves = static_cast<const __m256i*>(p);
    return {_mm256_loadu_si256(halves), _mm256_loadu_si256(halves + 1)};
  }
  static void StoreInts(int* p, I a) {
    __m256i* const halves = reinterpret_cast<__m256i*>(p);
    _mm256_storeu_si256(halves, a.low);
    _mm256_storeu_si256(halves + 1, a.high);
  }
  static I ZeroInts() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static I AddInts(I a, I b) { return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)}; }
  static I SubInts(I a, I b) { return {_mm256_sub_epi32(a.low, b.low), _mm256_sub_epi32(a.high, b.high)}; }
  static I MulInts(I a, I b) { return {_mm256_mullo_epi32(a.low, b.low), _mm256_mullo_epi32(a.high, b.high)}; }
  static ColumnSums LoadColumnSums(const int* p) {
    const I sums = LoadInts(p);
    return {{PartsHalf(sums.low), PartsHalf(sums.high)}};
  }
  static int ZeroPoint(int zero_point) {
    const unsigned low = static_cast<unsigned>(-zero_point) & 0xffff;
    const unsigned high = static_cast<unsigned>(-128 * zero_point) << 16;
    return static_cast<int>(high | low);
  }
  static I SubZeroPoint(I sum, int zero_point, ColumnSums column_sums) {
    return DotDeep(sum, SetInts(zero_point), column_sums.parts);
  }
  static I DotDeep(I sum, I u, I s) {
    return {_mm256_add_epi32(sum.low, _mm256_madd_epi16(u.low, s.low)),
            _mm256_add_epi32(sum.high, _mm256_madd_epi16(u.high, s.high))};
  }
  static I JoinTwo(I a, I b) {
    return {_mm256_blend_epi16(a.low, _mm256_slli_epi32(b.low, 16), 0xaa),
            _mm256_blend_epi16(a.high, _mm256_slli_epi32(b.high, 16), 0xaa)};
  }
  static I LoadBytes(const unsigned char* p, int n, int offset) {
    const __m128i bytes = Bytes(p, n);
    const __m256i offsets = _mm256_set1_epi32(offset);
    return {_mm256_add_epi32(_mm256_cvtepu8_epi32(bytes), offsets),
            _mm256_add_epi32(_mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8)), offsets)};
  }
  static void WidenBytes(short* out, const unsigned char* p, int n) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_cvtepu8_epi16(Bytes(p, n)));
  }
  static I RoundToInts(F x) { return {_mm256_cvtps_epi32(x.low), _mm256_cvtps_epi32(x.high)}; }
  static F Exponent(F x, F* mantissa) {
    return {ExponentHalf(x.low, &mantissa->low), ExponentHalf(x.high, &mantissa->high)};
  }
  static F ToFloats(I a) { return {_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high)}; }
  static void StoreBytes(unsigned char* p, F x, int offset, int n) {
    const __m256i offsets = _mm256_set1_epi32(offset);
    const __m256i low = _mm256_add_epi32(_mm256_cvtps_epi32(x.low), offsets);
    const __m256i high = _mm256_add_epi32(_mm256_cvtps_epi32(x.high), offsets);
    // Both packs saturate; the first works within 128-bit parts, so the parts are put in order between them.
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8);
    const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    if (n == 16) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
    } else {
      unsigned char all[16];
      _mm_storeu_si128(reinterpret_cast<__m128i*>(all), bytes);
      __builtin_memcpy(p, all, static_cast<unsigned long>(n));
    }
  }
  static void StoreBytes(unsigned char* p, const F (&x)[4], int offset) {
    for (int i = 0; i < 4; ++i) StoreBytes(p + 16 * i, x[i], offset, 16);
  }

  static void TransposeScaled(const float* in, unsigned long in_stride, int rows, int columns, float scale, float* out,
                              unsigned long out_stride) {
    for (int c = 0; c < columns; c += 8) {
      for (int r = 0; r < 16; r += 8) {
        Transpose8(in + r * in_stride + c, in_stride, rows - r, columns - c, scale, out + c * out_stride + r,
                   out_stride);
      }
    }
  }

 private:
  static I Bits(F x) { return {_mm256_castps_si256(x.low), _mm256_castps_si256(x.high)}; }
  static F Floats(I x) { return {_mm256_castsi256_ps(x.low), _mm256_castsi256_ps(x.high)}; }
  // Of numbers of one sign the one whose bits are largest.
  static float Last(F x) {
    const __m256i eight = _mm256_max_epu32(Bits(x).low, Bits(x).high);
    const __m128i four = _mm_max_epu32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    const __m128i two = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtss_f32(_mm_castsi128_ps(_mm_max_epu32(two, _mm_shuffle_epi32(two, 0xb1))));
  }
  static __m256 TotalMaxHalf(__m256 a, __m256 b) {
    return _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
  }
  // As Transpose8, with the larger of two kept where it would keep both.
  static __m256 HighestOfEight(const F* x) {
    __m256 a[4], b[2];
    for (int i = 0; i < 4; ++i) {
      const __m256 even = TotalMaxHalf(x[2 * i].low, x[2 * i].high);
      const __m256 odd = TotalMaxHalf(x[2 * i + 1].low, x[2 * i + 1].high);
      a[i] = TotalMaxHalf(_mm256_unpacklo_ps(even, odd), _mm256_unpackhi_ps(even, odd));
    }
    for (int i = 0; i < 2; ++i) {
      b[i] = TotalMaxHalf(_mm256_shuffle_ps(a[2 * i], a[2 * i + 1], 0x44),
                          _mm256_shuffle_ps(a[2 * i], a[2 * i + 1], 0xee));
    }
    return TotalMaxHalf(_mm256_permute2f128_ps(b[0], b[1], 0x20), _mm256_permute2f128_ps(b[0], b[1], 0x31));
  }
  static __m256i PartsHalf(__m256i sums) {
    const __m256i low = _mm256_and_si256(sums, _mm256_set1_epi32(0x7f));
    return _mm256_or_si256(low, _mm256_slli_epi32(_mm256_srai_epi32(sums, 7), 16));
  }
  static __m256 ExponentHalf(__m256 x, __m256* mantissa) {
    const __m256i bits = _mm256_castps_si256(x);
    const __m256i n = _mm256_srai_epi32(_mm256_sub_epi32(bits, _mm256_set1_epi32(0x3f3504f3)), 23);  // sqrt(1/2)
    *mantissa = _mm256_castsi256_ps(_mm256_sub_epi32(bits, _mm256_slli_epi32(n, 23)));
    return _mm256_cvtepi32_ps(n);
  }
  static __m128i Bytes(const unsigned char* p, int n) {
    if (n == 16) return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    __m128i bytes = _mm_setzero_si128();
    __builtin_memcpy(&bytes, p, static_cast<unsigned long>(n));
    return bytes;
  }
  // All ones in the first n of 8 lanes; n may be outside 0..8.
  static __m256i First(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static __m256 AbsHalf(__m256 a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
  static __m256 CopySignHalf(__m256 magnitude, __m256 sign) {
    return _mm256_or_ps(AbsHalf(magnitude), _mm256_and_ps(_mm256_set1_ps(-0.0f), sign));
  }
  static __m256 PowerOfTwoHalf(__m256 x, __m256 t) {
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), _mm256_slli_epi32(_mm256_castps_si256(t), 23)));
  }

  // As TransposeScaled for 8 x 8; rows may be <= 0.
  static void Transpose8(const float* in, unsigned long in_stride, int rows, int columns, float scale, float* out,
                         unsigned long out_stride) {
    const __m256i mask = First(columns);
    const __m256 factor = _mm256_set1_ps(scale);
    __m256 a[8], b[8];
    for (int r = 0; r < 8; ++r) {
      a[r] = r < rows ? _mm256_mul_ps(_mm256_maskload_ps(in + r * in_stride, mask), factor) : _mm256_setzero_ps();
    }
    for (int i = 0; i < 8; i += 2) {
      b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
      b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
      a[i] = _mm256_shuffle_ps(b[i], b[i + 2], 0x44);
      a[i + 1] = _mm256_shuffle_ps(b[i], b[i + 2], 0xee);
      a[i + 2] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0x44);
      a[i + 3] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0xee);
    }
    for (int c = 0; c < 4; ++c) {
      b[c] = _mm256_permute2f128_ps(a[c], a[4 + c], 0x20);
      b[4 + c] = _mm256_permute2f128_ps(a[c], a[4 + c], 0x31);
    }
    for (int c = 0; c < 8 && c < columns; ++c) _mm256_storeu_ps(out + c * out_stride, b[c]);
  }
};

}  // namespace ks
