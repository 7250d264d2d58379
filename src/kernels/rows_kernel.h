// Layer norm, softmax, embeddings and the pointwise functions over 16 lanes.
#pragma once

#include "kernels/kernel_parts.h"
#include "kernels/lanes_math.h"
#include "kernels/rows.h"

namespace ks {

template <typename L>
struct RowsKernel : private KernelParts<L> {
  using F = typename L::F;

  static void LayerNorm(const LayerNormArgs& a) {
    int row = 0;
    for (; row + kNormRows <= a.rows; row += kNormRows) LayerNormRows<kNormRows>(a, row);
    for (; row < a.rows; ++row) LayerNormRows<1>(a, row);
  }

  static void Softmax(const SoftmaxArgs& a) {
    for (int row = 0; row < a.rows; ++row) {
      const float* x = a.x + row * static_cast<unsigned long>(a.width);
      float* out = a.out + row * static_cast<unsigned long>(a.width);
      float highest = x[0];
      for (int i = 1; i < a.width; ++i) highest = x[i] > highest ? x[i] : highest;
      F sum = L::Zero();
      ForEach(a.width, [&](int i, int n) {
        const F e = L::KeepFirst(LanesMath<L>::Exp(L::Sub(Columns(x + i, n), L::Set(highest))), n);
        L::StoreFirst(out + i, e, n);
        sum = L::Add(sum, e);
      });
      const F total = L::Set(L::Sum(sum));
      ForEach(a.width, [&](int i, int n) { L::StoreFirst(out + i, L::Div(Columns(out + i, n), total), n); });
    }
  }

  template <typename Table>
  static void Embed(const BasicEmbedArgs<Table>& a) {
    const unsigned long width = static_cast<unsigned long>(a.width);
    for (int row = 0; row < a.rows; ++row) {
      const Table* word = a.word + a.ids[row] * width;
      const Table* position = a.position + a.positions[row] * width;
      const Table* type = a.type;
      if (type != nullptr && a.type_ids != nullptr) type += a.type_ids[row] * width;
      float* out = a.out + row * width;
      ForEach(a.width, [&](int i, int n) {
        F sum = Columns(word + i, n);
        if (type != nullptr) sum = L::Add(sum, Columns(type + i, n));
        L::StoreFirst(out + i, L::Add(sum, Columns(position + i, n)), n);
      });
    }
  }

  template <F (*kFunction)(F)>
  static void Pointwise(const float* x, float* y, unsigned long n) {
    unsigned long i = 0;
    for (; i + kLanes <= n; i += kLanes) L::Store(y + i, kFunction(L::Load(x + i)));
    const int rest = static_cast<int>(n - i);
    if (rest > 0) L::StoreFirst(y + i, kFunction(L::LoadFirst(x + i, rest)), rest);
  }

 private:
  using KernelParts<L>::Columns;
  using KernelParts<L>::ForEach;
  using KernelParts<L>::kLanes;

  // Rows in step: a row's sums are chains in which every addition waits for the one before.
  static constexpr int kNormRows = 4;

  template <int N>
  static void LayerNormRows(const LayerNormArgs& a, int row) {
    const unsigned long apart = static_cast<unsigned long>(a.width);
    const float width = static_cast<float>(a.width);
    const float* x = a.x + row * apart;
    float* const out = a.out + row * apart;
    if (a.residual != nullptr) {
      const float* const residual = a.residual + row * apart;
      ForEach(N * a.width,
              [&](int i, int n) { L::StoreFirst(out + i, L::Add(Columns(x + i, n), Columns(residual + i, n)), n); });
      x = out;
    }

    F sums[N], means[N], squares[N], inverses[N];
    const auto each = [](auto body) {
#pragma GCC unroll 4
      for (int r = 0; r < N; ++r) body(r);
    };
    each([&](int r) { sums[r] = squares[r] = L::Zero(); });
    ForEach(a.width,
            [&](int i, int n) { each([&](int r) { sums[r] = L::Add(sums[r], Columns(x + r * apart + i, n)); }); });
    each([&](int r) { means[r] = L::Set(L::Sum(sums[r]) / width); });
    ForEach(a.width, [&](int i, int n) {
      each([&](int r) {
        const F d = L::KeepFirst(L::Sub(Columns(x + r * apart + i, n), means[r]), n);
        squares[r] = L::Fma(d, d, squares[r]);
      });
    });
    each([&](int r) { inverses[r] = L::Set(1.0f / L::Sqrt(L::Sum(squares[r]) / width + a.eps)); });
    ForEach(a.width, [&](int i, int n) {
      const F gamma = Columns(a.gamma + i, n), beta = Columns(a.beta + i, n);
      each([&](int r) {
        const F d = L::Sub(Columns(x + r * apart + i, n), means[r]);
        L::StoreFirst(out + r * apart + i, L::Fma(L::Mul(d, inverses[r]), gamma, beta), n);
      });
    });
  }
};

}  // namespace ks
