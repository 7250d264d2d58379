// 16 virtual lanes in plain C++: the meaning of lanes_avx2.h and lanes_avx512.h, and the kernels' reference.
//
// A kernel sees only these operations. Their contract, on every instruction set:
//   Fma                rounds once
//   Max, Min           a > b ? a : b and a < b ? a : b, so that the second operand wins where one is NaN
//   TotalMax(a, b)     the later one in IEEE 754's totalOrder, which has a NaN beyond the infinity of its sign; a has no
//                      sign
//   TotalMin(a, b)     the earlier one; a has a sign
//   Highest, Lowest    TotalMax and TotalMin of all lanes
//   HighestOfEach      lane r is Highest of the r-th of 16 vectors
//   Sum                ((lanes 0-7 + 8-15) -> 8, 4, 2, 1) halves added onto halves
//   Load..             from any address: files promise no alignment
//   LoadFirst(p, n)    the first n lanes, 1 <= n <= 16, the others zero; touches no other memory
//   LoadHalf           float16, widened exactly; LoadHalfFirst as LoadFirst
//   Dot(sum, q, w)     sum[l] + q[0] * w[4 l] + .. + q[3] * w[4 l + 3], exact; q is LoadInputs of 4 unsigned bytes,
//                      w is LoadWeights of 64 signed ones; on AVX2 int8_linear_avx2.h stands in its place
//   SubZeroPoint(sum, z, c)   sum - zero_point * column_sums; z is ZeroPoint(zero_point) with -128 <= zero_point <= 255, c
//                      is LoadColumnSums of sums that have at most 22 bits beside their sign
//   AddInts, SubInts, MulInts   modulo 2^32
//   DotDeep(sum, u, s) sum[l] + the products of the kDeep numbers that lie side by side in lane l, exact modulo 2^32:
//                      two signed of 16 bits, or four bytes of which the u have no sign
//   JoinTwo, JoinFour  the lower halves or bytes of integers side by side in each lane, the first one lowest
//   LoadBytes          n unsigned bytes, each plus `offset`; the other lanes are anything
//   WidenBytes         n bytes to 16-bit numbers, 1 <= n <= 16; writes 16
//   RoundToInts        to the nearest, even on ties, |x| <= 2^21; anything for a NaN
//   Exponent(x, m)     n, where x = 2^n * m and sqrt(1/2) <= m < sqrt(2), for a normal x > 0; otherwise anything
//   StoreBytes         the first n of clamp(round(x) + offset, 0, 255), rounding to even, |x| <= 2^21; NaN becomes 0 if
//                      offset <= 0. Of four vectors all 64, one after another; offset <= 255
//   PowerOfTwo(x, t)   x * 2^n, where t = n + kRoundMagic and x * 2^n is a normal number
// Nothing here may come from another header: what a header defines inline may be kept from the translation unit that
// was compiled with the largest instruction set, and would then fail on smaller CPUs.
#pragma once

namespace ks {

struct ScalarLanes {
  struct F {
    float v[16];
  };
  struct I {
    int v[16];
  };
  using ColumnSums = I;

  // How many accumulators fit into the registers: rows x columns of the tiles in attention and linear.
  static constexpr int kQueryVectors = 1;
  static constexpr int kKeyTile = 2, kKeySmall = 1;
  static constexpr int kRowTile = 2, kRowSmall = 2, kRowColumns = 2;
  static constexpr int kLinearRows = 1, kLinearOutputs = 2;
  static constexpr int kInt8Rows = 2, kInt8Blocks = 1;
  // Of attention over bytes: DotDeep's numbers, steps of a round of the second product's loop.
  static constexpr int kDeep = 2, kValueSteps = 1;
  // How many chains of operations are kept going side by side (lanes_wide.h).
  static constexpr int kWide = 1;
  static constexpr int kInt8Finished = kWide;

  static F Zero() { return Set(0.0f); }
  static F Set(float x) {
    return Each([&](int) { return x; });
  }
  static F Load(const float* p) {
    return Each([&](int i) { return Read(p + i); });
  }
  static F LoadFirst(const float* p, int n) {
    return Each([&](int i) { return i < n ? Read(p + i) : 0.0f; });
  }
  static void Store(float* p, F x) { StoreFirst(p, x, 16); }
  static void StoreFirst(float* p, F x, int n) {
    for (int i = 0; i < n; ++i) p[i] = x.v[i];
  }
  static F KeepFirst(F x, int n) {
    return Each([&](int i) { return i < n ? x.v[i] : 0.0f; });
  }

  static F Add(F a, F b) {
    return Each([&](int i) { return a.v[i] + b.v[i]; });
  }
  static F Sub(F a, F b) {
    return Each([&](int i) { return a.v[i] - b.v[i]; });
  }
  static F Mul(F a, F b) {
    return Each([&](int i) { return a.v[i] * b.v[i]; });
  }
  static F Div(F a, F b) {
    return Each([&](int i) { return a.v[i] / b.v[i]; });
  }
  static F Fma(F a, F b, F c) {
    return Each([&](int i) { return __builtin_fmaf(a.v[i], b.v[i], c.v[i]); });
  }
  static F Max(F a, F b) {
    return Each([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
  }
  static F Min(F a, F b) {
    return Each([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
  }
  static F Abs(F a) {
    return Each([&](int i) { return __builtin_fabsf(a.v[i]); });
  }
  // |magnitude| with the sign of `sign`.
  static F CopySign(F magnitude, F sign) {
    return Each([&](int i) { return __builtin_copysignf(magnitude.v[i], sign.v[i]); });
  }
  // a < b ? yes : no; `no` where one is NaN.
  static F SelectLess(F a, F b, F yes, F no) {
    return Each([&](int i) { return a.v[i] < b.v[i] ? yes.v[i] : no.v[i]; });
  }
  static F PowerOfTwo(F x, F t) {
    return Each([&](int i) {
      return __builtin_bit_cast(float,
                                __builtin_bit_cast(unsigned, x.v[i]) + (__builtin_bit_cast(unsigned, t.v[i]) << 23));
    });
  }
  static float Sum(F x) {
    for (int half = 8; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) x.v[i] += x.v[i + half];
    }
    return x.v[0];
  }
  static F TotalMax(F a, F b) {
    return Each([&](int i) { return Bits(b.v[i]) > Bits(a.v[i]) && Bits(b.v[i]) < kSign ? b.v[i] : a.v[i]; });
  }
  static F TotalMin(F a, F b) {
    return Each([&](int i) { return Bits(b.v[i]) > Bits(a.v[i]) ? b.v[i] : a.v[i]; });
  }
  static float Highest(F x) { return Last(x); }
  static float Lowest(F x) { return Last(x); }
  static F HighestOfEach(const F (&x)[16]) {
    return Each([&](int i) { return Highest(x[i]); });
  }
  static float Sqrt(float x) { return __builtin_sqrtf(x); }
  static constexpr unsigned kRootHalf = 0x3f3504f3;  // the bits of sqrt(1/2)

  static F LoadHalf(const unsigned short* p) { return LoadHalfFirst(p, 16); }
  static F LoadHalfFirst(const unsigned short* p, int n) {
    return Each([&](int i) { return i < n ? Widen(Read(p + i)) : 0.0f; });
  }

  using Weights = const signed char*;
  using Inputs = const unsigned char*;
  static Weights LoadWeights(const signed char* p) { return p; }
  static Inputs LoadInputs(const unsigned char* p) { return p; }
  static I Dot(I sum, Inputs q, Weights w) {
    for (int i = 0; i < 16; ++i) {
      for (int k = 0; k < 4; ++k) sum.v[i] += q[k] * w[4 * i + k];
    }
    return sum;
  }
  static I ZeroInts() { return SetInts(0); }
  static I SetInts(int x) {
    return EachInt([&](int) { return static_cast<unsigned>(x); });
  }
  static I LoadInts(const int* p) {
    return EachInt([&](int i) { return static_cast<unsigned>(Read(p + i)); });
  }
  static void StoreInts(int* p, I a) {
    for (int i = 0; i < 16; ++i) p[i] = a.v[i];
  }
  static I AddInts(I a, I b) {
    return EachInt([&](int i) { return static_cast<unsigned>(a.v[i]) + static_cast<unsigned>(b.v[i]); });
  }
  static I SubInts(I a, I b) {
    return EachInt([&](int i) { return static_cast<unsigned>(a.v[i]) - static_cast<unsigned>(b.v[i]); });
  }
  static I MulInts(I a, I b) {
    return EachInt([&](int i) { return static_cast<unsigned>(a.v[i]) * static_cast<unsigned>(b.v[i]); });
  }
  static I DotDeep(I sum, I u, I s) {
    return EachInt([&](int i) {
      const int low = static_cast<short>(u.v[i]) * static_cast<short>(s.v[i]);
      const int high = (u.v[i] >> 16) * (s.v[i] >> 16);
      return static_cast<unsigned>(sum.v[i]) + static_cast<unsigned>(low) + static_cast<unsigned>(high);
    });
  }
  static I JoinTwo(I a, I b) {
    return EachInt(
        [&](int i) { return (static_cast<unsigned>(a.v[i]) & 0xffffu) | static_cast<unsigned>(b.v[i]) << 16; });
  }
  static I LoadBytes(const unsigned char* p, int n, int offset) {
    return EachInt([&](int i) { return static_cast<unsigned>(i < n ? p[i] + offset : 0); });
  }
  static void WidenBytes(short* out, const unsigned char* p, int n) {
    for (int i = 0; i < 16; ++i) out[i] = i < n ? p[i] : 0;
  }
  static I RoundToInts(F x) {
    constexpr float kRoundMagic = 12582912.0f;
    return EachInt([&](int i) {
      return __builtin_bit_cast(unsigned, x.v[i] + kRoundMagic) - __builtin_bit_cast(unsigned, kRoundMagic);
    });
  }
  static F Exponent(F x, F* mantissa) {
    F n;
    for (int i = 0; i < 16; ++i) {
      const unsigned bits = __builtin_bit_cast(unsigned, x.v[i]);
      const int exponent = static_cast<int>(bits - kRootHalf) >> 23;
      n.v[i] = static_cast<float>(exponent);
      mantissa->v[i] = __builtin_bit_cast(float, bits - (static_cast<unsigned>(exponent) << 23));
    }
    return n;
  }
  static ColumnSums LoadColumnSums(const int* p) { return LoadInts(p); }
  static int ZeroPoint(int zero_point) { return zero_point; }
  static I SubZeroPoint(I sum, int zero_point, ColumnSums column_sums) {
    return SubInts(sum, MulInts(SetInts(zero_point), column_sums));
  }
  static F ToFloats(I a) {
    return Each([&](int i) { return static_cast<float>(a.v[i]); });
  }
  static void StoreBytes(unsigned char* p, F x, int offset, int n) {
    constexpr float kRoundMagic = 12582912.0f;  // 1.5 * 2^23: adding it rounds
    for (int i = 0; i < n; ++i) {
      const float sum = x.v[i] + kRoundMagic - kRoundMagic + static_cast<float>(offset);
      p[i] = static_cast<unsigned char>(sum > 0.0f ? (sum < 255.0f ? sum : 255.0f) : 0.0f);
    }
  }
  static void StoreBytes(unsigned char* p, const F (&x)[4], int offset) {
    for (int i = 0; i < 4; ++i) StoreBytes(p + 16 * i, x[i], offset, 16);
  }

  // out[c * out_stride + r] = in[r * in_stride + c] * scale for r < rows and c < columns (both <= 16), and 0 for the
  // other r < 16.
  static void TransposeScaled(const float* in, unsigned long in_stride, int rows, int columns, float scale, float* out,
                              unsigned long out_stride) {
    for (int c = 0; c < columns; ++c) {
      for (int r = 0; r < 16; ++r) out[c * out_stride + r] = r < rows ? in[r * in_stride + c] * scale : 0.0f;
    }
  }

 private:
  static constexpr unsigned kSign = 0x80000000u;
  static unsigned Bits(float x) { return __builtin_bit_cast(unsigned, x); }
  // Of numbers of one sign the one whose bits are largest.
  static float Last(F x) {
    float last = x.v[0];
    for (float value : x.v) last = Bits(value) > Bits(last) ? value : last;
    return last;
  }
  template <typename T>
  static T Read(const T* p) {
    T value;
    __builtin_memcpy(&value, static_cast<const void*>(p), sizeof(value));
    return value;
  }
  template <typename Body>
  static F Each(Body body) {
    F result;
    for (int i = 0; i < 16; ++i) result.v[i] = body(i);
    return result;
  }
  template <typename Body>
  static I EachInt(Body body) {
    I result;
    for (int i = 0; i < 16; ++i) result.v[i] = static_cast<int>(body(i));
    return result;
  }

  // float16 has a sign, 5 bits of exponent (bias 15) and 10 of fraction.
  static float Widen(unsigned short half) {
    const unsigned sign = (half & 0x8000u) << 16;
    const unsigned exponent = half >> 10 & 0x1fu;
    const unsigned fraction = half & 0x3ffu;
    if (exponent == 0) return __builtin_copysignf(static_cast<float>(fraction) * 0x1p-24f, sign != 0 ? -1.0f : 1.0f);
    const unsigned wide = exponent == 0x1fu ? 0xffu : exponent + (127 - 15);
    return __builtin_bit_cast(float, sign | wide << 23 | fraction << 13);
  }
};

}  // namespace ks
