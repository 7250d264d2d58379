// Rows of heads into bytes, over 16 lanes. Tested by int8_attention_test.cc.
#pragma once

#include "kernels/int8_attention.h"
#include "kernels/kernel_parts.h"

namespace ks {

template <typename L>
struct Int8HeadsKernel : private KernelParts<L> {
  using F = typename L::F;
  using KernelParts<L>::kLanes;

  static void Run(const QuantizeHeadsArgs& a) {
    switch (a.head_size) {
      case 32:
        return a.rows < kLanes ? QuantizeEach<32>(a) : QuantizeTogether<32>(a);
      case 64:
        return a.rows < kLanes ? QuantizeEach<64>(a) : QuantizeTogether<64>(a);
      default:
        return QuantizeEach<0>(a);
    }
  }

 private:
  using KernelParts<L>::Columns;
  using KernelParts<L>::Least;
  using KernelParts<L>::Padded;

  // Heads of a size that is known, or with 0 of any: a row is short, and ends and loops take longer than what is in them.
  template <int kHeadSize>
  static void QuantizeEach(const QuantizeHeadsArgs& a) {
    const int head_size = kHeadSize > 0 ? kHeadSize : a.head_size;
    for (int row = 0; row < a.rows; ++row) {
      const float* x = a.x + row * a.x_stride;
      unsigned char* q = a.q + row * RowBytes(head_size);
      for (int head = 0; head < a.heads; ++head) {
        a.scales[head * a.head_scales + row] = QuantizeRow(x, head_size, q);
        x += head_size;
        q += a.head_bytes;
      }
    }
  }

  // The same, kLanes rows at a time, of which there are as many at least.
  template <int kHeadSize>
  static void QuantizeTogether(const QuantizeHeadsArgs& a) {
    for (int next = 0; next < a.rows; next += kLanes) {
      const int row = Least(next, a.rows - kLanes);  // the last ones may have been there before
      for (int head = 0; head < a.heads; ++head) {
        QuantizeRows<kHeadSize>(a.x + row * a.x_stride + head * kHeadSize, a.x_stride,
                                a.q + head * a.head_bytes + row * RowBytes(kHeadSize),
                                a.scales + head * a.head_scales + row);
      }
    }
  }

  [[gnu::always_inline]] static float QuantizeRow(const float* x, int columns, unsigned char* q) {
    F top = L::Zero();  // a NaN stays
    for (int c = 0; c < columns; c += kLanes) {
      top = L::TotalMax(top, L::Abs(Columns(x + c, Least(columns - c, kLanes))));
    }
    const float highest = L::Highest(top);
    const bool finite = highest - highest == 0.0f;
    const float steps = highest / 127.0f;
    const float scale = steps > kHeadSmallestScale ? steps : kHeadSmallestScale;
    const F inverse = L::Set(finite ? 1.0f / scale : 0.0f);
    for (int c = 0; c < columns; c += kLanes) {
      const int n = Least(columns - c, kLanes);
      L::StoreBytes(q + c, L::Mul(Columns(x + c, n), inverse), 128, n);
    }
    for (int c = columns; c < Padded(columns, kInt8Inputs); ++c) q[c] = 128;
    return finite ? scale : __builtin_nanf("");
  }

  // As QuantizeRow, kLanes rows together: a lane is a row where a scale is made.
  template <int kHeadSize>
  [[gnu::always_inline]] static void QuantizeRows(const float* x, unsigned long stride, unsigned char* q,
                                                  float* scales) {
    constexpr int kVectors = kHeadSize / kLanes;  // of a row
    F tops[kLanes];
#pragma GCC unroll 16
    for (int r = 0; r < kLanes; ++r) {
      F top = L::Zero();
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) top = L::TotalMax(top, L::Abs(L::Load(x + r * stride + v * kLanes)));
      tops[r] = top;
    }
    const F highest = L::HighestOfEach(tops);
    const F infinity = L::Set(__builtin_inff());  // not below it: infinities and NaN
    const F scale = L::Max(L::Div(highest, L::Set(127.0f)), L::Set(kHeadSmallestScale));
    L::Store(scales, L::SelectLess(highest, infinity, scale, L::Set(__builtin_nanf(""))));
    alignas(64) float inverses[kLanes];
    L::Store(inverses, L::SelectLess(highest, infinity, L::Div(L::Set(1.0f), scale), L::Zero()));
#pragma GCC unroll 16
    for (int first = 0; first < kLanes * kVectors; first += 4) {
      F four[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const int row = (first + i) / kVectors;
        four[i] = L::Mul(L::Load(x + row * stride + (first + i) % kVectors * kLanes), L::Set(inverses[row]));
      }
      L::StoreBytes(q + first * kLanes, four, 128);
    }
  }

  // HeadRowBytes, which may not come from its header (lanes_scalar.h).
  static long RowBytes(int head_size) { return Padded(head_size, kInt8Inputs); }
};

}  // namespace ks
