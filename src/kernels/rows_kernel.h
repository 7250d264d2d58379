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
    const float width = static_cast<float>(a.width);
    for (int row = 0; row < a.rows; ++row) {
      const unsigned long start = row * static_cast<unsigned long>(a.width);
      const float* x = a.x + start;
      const float* residual = a.residual == nullptr ? nullptr : a.residual + start;
      float* out = a.out + start;
      F sum = L::Zero();
      ForEach(a.width, [&](int i, int n) {
        F s = Columns(x + i, n);
        if (residual != nullptr) s = L::Add(s, Columns(residual + i, n));
        L::StoreFirst(out + i, s, n);
        sum = L::Add(sum, s);
      });
      const F mean = L::Set(L::Sum(sum) / width);
      F squares = L::Zero();
      ForEach(a.width, [&](int i, int n) {
        const F d = L::KeepFirst(L::Sub(Columns(out + i, n), mean), n);
        squares = L::Fma(d, d, squares);
      });
      const F inverse = L::Set(1.0f / L::Sqrt(L::Sum(squares) / width + a.eps));
      ForEach(a.width, [&](int i, int n) {
        const F d = L::Sub(Columns(out + i, n), mean);
        L::StoreFirst(out + i, L::Fma(L::Mul(d, inverse), Columns(a.gamma + i, n), Columns(a.beta + i, n)), n);
      });
    }
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
};

}  // namespace ks
