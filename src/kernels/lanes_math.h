// exp, tanh and the normal distribution over 16 lanes: the same operations in the same order on every instruction set.
//
// The polynomials are minimax fits made for this project (weighted least squares, reweighted until the error was
// level). dispatch.h states the errors, pointwise_test.cc sweeps them against double precision.
#pragma once

namespace ks {

// Always inlined where they take long: a call passes lanes_wide.h's numbers through memory.
template <typename L>
struct LanesMath {
  using F = typename L::F;

  // Adding it rounds to the nearest integer (even on ties) and leaves that integer in the low bits.
  static constexpr float kRoundMagic = 12582912.0f;  // 1.5 * 2^23

  // c0 + c1 x + c2 x^2 + ...; the coefficients come with the highest power first.
  template <int N>
  static F Polynomial(F x, const float (&coefficients)[N]) {
    F sum = L::Set(coefficients[0]);
    for (int i = 1; i < N; ++i) sum = L::Fma(sum, x, L::Set(coefficients[i]));
    return sum;
  }

  [[gnu::always_inline]] static F Exp(F x) {
    constexpr float kLowest = -87.33f;       // below, the result would not be normal: 0
    constexpr float kHighest = 88.7228317f;  // from here on infinite
    constexpr float kLog2E = 0x1.715476p+0f;
    constexpr float kLn2High = 0x1.62e430p-1f;  // ln 2 = high + low
    constexpr float kLn2Low = -0x1.05c610p-29f;
    // (e^r - 1 - r) / r^2 on |r| <= ln(2) / 2, error 3.1e-9 of e^r.
    constexpr float kTail[] = {0x1.6a2318p-10f, 0x1.123a8ep-7f, 0x1.5558f6p-5f, 0x1.555490p-3f, 0x1.fffffcp-2f};

    // x = n ln 2 + r. Clamped so that the discarded lanes stay numbers; the order of operands lets a NaN through.
    const F clamped = L::Max(L::Set(kLowest), L::Min(L::Set(kHighest), x));
    const F t = L::Fma(clamped, L::Set(kLog2E), L::Set(kRoundMagic));
    const F n = L::Sub(t, L::Set(kRoundMagic));
    const F r = L::Fma(n, L::Set(-kLn2Low), L::Fma(n, L::Set(-kLn2High), clamped));
    const F fraction = L::Fma(L::Mul(r, r), Polynomial(r, kTail), r);
    const F normal = L::PowerOfTwo(L::Add(L::Set(1.0f), fraction), t);
    const F infinite_or_nan = L::Add(x, L::Set(__builtin_inff()));
    return L::SelectLess(x, L::Set(kLowest), L::Zero(), L::SelectLess(x, L::Set(kHighest), normal, infinite_or_nan));
  }

  // 255 * 2^x for x <= 0, relative error 8e-5; below -120 as there. For weights that become bytes.
  [[gnu::always_inline]] static F Power255(F x) {
    // 255 * 2^r on |r| <= 1/2.
    constexpr float kPower[] = {0.0551716648f * 255, 0.242611125f * 255, 0.693260968f * 255, 0.999928057f * 255};
    // The order of operands lets a NaN through.
    const F clamped = L::Max(L::Set(-120.0f), x);
    const F t = L::Add(clamped, L::Set(kRoundMagic));
    const F r = L::Sub(clamped, L::Sub(t, L::Set(kRoundMagic)));
    return L::PowerOfTwo(Polynomial(r, kPower), t);
  }

  // The logarithm of a normal x > 0 to base 2, absolute error 3e-6.
  static F Log2(F x) {
    // log2(1 + r) / r on sqrt(1/2) <= 1 + r < sqrt(2).
    constexpr float kLog[] = {-0.206605092f, 0.322142929f, -0.367483735f, 0.479349673f, -0.721132278f, 1.44271338f};
    F mantissa;
    const F n = L::Exponent(x, &mantissa);
    const F r = L::Sub(mantissa, L::Set(1.0f));
    return L::Fma(r, Polynomial(r, kLog), n);
  }

  static F Tanh(F x) {
    // (tanh x - x) / x^3 in x^2 on |x| <= 0.625, error 4.4e-9 of tanh x.
    constexpr float kOdd[] = {-0.00570499f, 0.02063909f, -0.05373972f, 0.13331442f, -0.33333282f};
    constexpr float kSmall = 0.625f;
    const F a = L::Abs(x);
    const F square = L::Mul(x, x);
    const F near = L::Fma(L::Mul(square, x), Polynomial(square, kOdd), x);
    // 1 - 2 / (e^2a + 1): no cancellation once a is not small.
    const F e = Exp(L::Add(a, a));
    const F far = L::Sub(L::Set(1.0f), L::Div(L::Set(2.0f), L::Add(e, L::Set(1.0f))));
    // The sign of x, that of a zero included.
    return L::CopySign(L::SelectLess(a, L::Set(kSmall), near, far), x);
  }

  // x times the normal distribution function: 0.5 x (1 + erf(x / sqrt 2)).
  [[gnu::always_inline]] static F Gelu(F x) {
    constexpr float kOdd[] = {3.50726934e-14f, -1.17387241e-12f, 1.73841826e-11f, -2.76440371e-10f,
                              5.93168004e-09f, -1.09357053e-07f, 1.74430579e-06f, -2.65340677e-05f,
                              0.00039864314f,  -0.006335048f,    0.147212774f};
    return TimesNormal(x, 4.8f, kOdd);
  }

  // The same for what becomes bytes, whose steps are some 1e-2: absolute error 1.7e-4.
  [[gnu::always_inline]] static F CoarseGelu(F x) {
    constexpr float kOdd[] = {2.4435769e-08f, -5.37374717e-07f, 6.28372663e-06f, -7.38796225e-05f,
                              0.00091035472f, -0.0109082833f,   0.17809838f};
    return TimesNormal(x, 3.95f, kOdd);
  }

  // Max(0, x) passes a NaN on.
  static F Relu(F x) { return L::Max(L::Zero(), x); }

 private:
  // `odd` is (the normal distribution function - 0.5) / x in u on |x| <= end, where u = x^2 - end^2 / 2: powers of x
  // itself would cancel. At the end the function reaches 1, and beyond it keeps that value.
  template <int N>
  [[gnu::always_inline]] static F TimesNormal(F x, float end, const float (&odd)[N]) {
    // The order of operands lets a NaN through.
    const F near = L::Max(L::Set(-end), L::Min(L::Set(end), x));
    const F u = L::Fma(near, near, L::Set(-end * end / 2));
    return L::Mul(x, L::Fma(near, Polynomial(u, odd), L::Set(0.5f)));
  }
};

}  // namespace ks
