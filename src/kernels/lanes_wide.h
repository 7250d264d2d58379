// N times the 16 lanes of a set, for functions of one number at a time: each operation is done N times in a row.
//
// exp and GELU are chains of some thirty operations that wait for each other; one alone leaves most of a core idle, and
// a core does not look far enough ahead to find the next one by itself.
#pragma once

namespace ks {

template <typename L, int N>
struct WideLanes {
  using One = typename L::F;
  struct F {
    One v[N];
  };

  static F Zero() { return Set(0.0f); }
  static F Set(float x) {
    return Each([&](int) { return L::Set(x); });
  }
  static F Add(const F& a, const F& b) {
    return Each([&](int i) { return L::Add(a.v[i], b.v[i]); });
  }
  static F Sub(const F& a, const F& b) {
    return Each([&](int i) { return L::Sub(a.v[i], b.v[i]); });
  }
  static F Mul(const F& a, const F& b) {
    return Each([&](int i) { return L::Mul(a.v[i], b.v[i]); });
  }
  static F Fma(const F& a, const F& b, const F& c) {
    return Each([&](int i) { return L::Fma(a.v[i], b.v[i], c.v[i]); });
  }
  static F Max(const F& a, const F& b) {
    return Each([&](int i) { return L::Max(a.v[i], b.v[i]); });
  }
  static F Min(const F& a, const F& b) {
    return Each([&](int i) { return L::Min(a.v[i], b.v[i]); });
  }
  static F Abs(const F& a) {
    return Each([&](int i) { return L::Abs(a.v[i]); });
  }
  static F SelectLess(const F& a, const F& b, const F& yes, const F& no) {
    return Each([&](int i) { return L::SelectLess(a.v[i], b.v[i], yes.v[i], no.v[i]); });
  }
  static F PowerOfTwo(const F& x, const F& t) {
    return Each([&](int i) { return L::PowerOfTwo(x.v[i], t.v[i]); });
  }

 private:
  template <typename Body>
  static F Each(Body body) {
    F result;
#pragma GCC unroll 8
    for (int i = 0; i < N; ++i) result.v[i] = body(i);
    return result;
  }
};

}  // namespace ks
