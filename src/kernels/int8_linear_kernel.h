// The int8 linear over 16 lanes: tiles of rows x blocks of 16 outputs whose sums stay in registers.
//
// A lane is one output and holds the products of four inputs, which the packed weights keep side by side; a row's four
// bytes are broadcast to all lanes. Sums are integers, so neither the tile's shape nor the order of inputs can change a
// bit. What follows is done for each number on its own.
//
// The functions of int8_linear.h are not called here: other objects have them too (lanes_scalar.h).
#pragma once

#include "kernels/int8_linear.h"
#include "kernels/kernel_parts.h"
#include "kernels/lanes_math.h"
#include "kernels/lanes_wide.h"

namespace ks {

template <typename L>
struct Int8LinearKernel : private KernelParts<L> {
  using F = typename L::F;
  using I = typename L::I;
  using KernelParts<L>::kLanes;
  // Rows that stay in the second-level cache while all of the weights pass by.
  static constexpr int kRowBlock = 64;

  static void QuantizeRows(const QuantizeRowsArgs& a) {
    for (int row = 0; row < a.rows; ++row) {
      QuantizeRow(a.x + row * a.x_stride, a.multipliers, a.inputs, a.q + row * a.q_stride, a.scales + row,
                  a.zero_points + row);
    }
  }

  static void Run(const Int8LinearArgs& a) {
    constexpr int kColumns = L::kInt8Blocks * kLanes;
    for (int first = 0; first < a.rows; first += kRowBlock) {
      const int end = first + kRowBlock < a.rows ? first + kRowBlock : a.rows;
      int output = 0;
      for (; output + kColumns <= Padded(a.weights.outputs, kLanes); output += kColumns) {
        Panel<L::kInt8Blocks>(a, first, end, output);
      }
      for (; output < a.weights.outputs; output += kLanes) Panel<1>(a, first, end, output);
    }
  }

  // From sums [rows, blocks, 16] to out. One copy for all tiles; amx_linear_kernel.h ends here too.
  [[gnu::noinline]] static void Finish(const Int8LinearArgs& a, int row, int rows, int output, int blocks,
                                       const int* sums) {
    for (int c = 0; c < blocks; ++c) {
      const int column = output + c * kLanes;
      const int* of_column = sums + c * kLanes;
      int r = 0;
      for (; r + L::kInt8Finished <= rows; r += L::kInt8Finished) {
        FinishRows<L::kInt8Finished>(a, row + r, column, of_column + r * blocks * kLanes, blocks * kLanes);
      }
      for (; r < rows; ++r) FinishRows<1>(a, row + r, column, of_column + r * blocks * kLanes, blocks * kLanes);
    }
  }

 private:
  using KernelParts<L>::ForEach;
  using KernelParts<L>::Padded;

  // N rows of 16 columns, whose sums lie `stride` ints apart.
  template <int N>
  static void FinishRows(const Int8LinearArgs& a, int row, int column, const int* sums, int stride) {
    using Wide = WideLanes<L, N>;
    const int n = a.weights.outputs - column < kLanes ? a.weights.outputs - column : kLanes;
    const typename L::ColumnSums column_sums = L::LoadColumnSums(a.weights.column_sums + column);
    const F scales = L::Load(a.weights.scales + column);
    const F bias = a.weights.bias == nullptr ? L::Zero() : L::Load(a.weights.bias + column);
    float* out = a.out + column;
    typename Wide::F x;
#pragma GCC unroll 8
    for (int r = 0; r < N; ++r) {
      const I exact = L::SubZeroPoint(L::LoadInts(sums + r * stride), a.zero_points[row + r], column_sums);
      x.v[r] = L::Fma(L::ToFloats(exact), L::Mul(L::Set(a.scales[row + r]), scales), bias);
    }
    if (a.epilogue == Epilogue::kGelu) x = LanesMath<Wide>::CoarseGelu(x);
#pragma GCC unroll 8
    for (int r = 0; r < N; ++r) {
      if (a.residual != nullptr) {
        x.v[r] = L::Add(x.v[r], L::LoadFirst(a.residual + (row + r) * a.residual_stride + column, n));
      }
      L::StoreFirst(out + (row + r) * a.out_stride, x.v[r], n);
    }
  }

  static void QuantizeRow(const float* x, const float* multipliers, int inputs, unsigned char* q, float* scale_out,
                          int* zero_point_out) {
    const auto multiplied = [&](int i, int n) {
      return n == kLanes ? L::Mul(L::Load(x + i), L::Load(multipliers + i))
                         : L::Mul(L::LoadFirst(x + i, n), L::LoadFirst(multipliers + i, n));
    };
    // Several of each, or every step would wait for the one before; no order of them can change a bit.
    constexpr int kChains = L::kWide;
    F low[kChains], high[kChains], marks[kChains];  // v * 0 is NaN for a NaN and an infinity
    for (int c = 0; c < kChains; ++c) low[c] = high[c] = marks[c] = L::Zero();
    const auto take = [&](int c, F v) {
      low[c] = L::Min(v, low[c]);
      high[c] = L::Max(v, high[c]);
      marks[c] = L::Fma(v, L::Zero(), marks[c]);
    };
    int first = 0;
    for (; first + kChains * kLanes <= inputs; first += kChains * kLanes) {
#pragma GCC unroll 4
      for (int c = 0; c < kChains; ++c) take(c, multiplied(first + c * kLanes, kLanes));
    }
    for (; first + kLanes <= inputs; first += kLanes) take(0, multiplied(first, kLanes));
    if (first < inputs) take(0, multiplied(first, inputs - first));
    for (int c = 1; c < kChains; ++c) {
      low[0] = L::Min(low[c], low[0]);
      high[0] = L::Max(high[c], high[0]);
      marks[0] = L::Add(marks[c], marks[0]);
    }
    const float lowest = L::Lowest(low[0]);
    const float range = L::Highest(high[0]) - lowest;
    const float mark = L::Sum(marks[0]);
    float scale = 0.0f;
    float inverse = 0.0f;
    int zero_point = 0;
    if (mark != mark) {
      scale = mark;
    } else if (range >= kInt8SmallestRange) {
      scale = range / 255.0f;
      inverse = 255.0f / range;
      zero_point = Round(-lowest / scale);
    }
    ForEach(inputs,
            [&](int i, int n) { L::StoreBytes(q + i, L::Mul(multiplied(i, n), L::Set(inverse)), zero_point, n); });
    for (int i = inputs; i < Padded(inputs, kInt8Inputs); ++i) q[i] = static_cast<unsigned char>(zero_point);
    *scale_out = scale;
    *zero_point_out = zero_point;
  }

  // To even, and no more than 255: 0 <= x, which a rounding may have left above 255.
  static int Round(float x) {
    const float rounded = x + LanesMath<L>::kRoundMagic - LanesMath<L>::kRoundMagic;
    return rounded < 255.0f ? static_cast<int>(rounded) : 255;
  }

  // The weights that come after a panel's own, asked for while those are in use: a core does not see across pages, and
  // waits long for the last-level cache. Each step of each tile asks for its share of them.
  struct Ahead {
    static constexpr long kLine = 64;
    const char* next;
    long bytes_a_step;

    void Fetch() {
      __builtin_prefetch(next, 0, 2);  // the second level: in the first the panel itself needs the room
      for (long line = kLine; line < bytes_a_step; line += kLine) __builtin_prefetch(next + line, 0, 2);
      next += bytes_a_step;
    }
  };

  // C blocks of outputs for the rows [first, end).
  template <int C>
  static void Panel(const Int8LinearArgs& a, int first, int end, int output) {
    const long inputs = Padded(a.weights.inputs, kInt8Inputs);
    const int after = output + C * kLanes < a.weights.outputs ? output + C * kLanes : 0;
    const long tiles = (end - first + L::kInt8Rows - 1) / L::kInt8Rows;
    Ahead ahead = {reinterpret_cast<const char*>(a.weights.packed) + after * inputs,
                   (C * kLanes * kInt8Inputs + tiles - 1) / tiles};
    int row = first;
    for (; row + L::kInt8Rows <= end; row += L::kInt8Rows) {
      Tile<L::kInt8Rows, C>(a, row, output, ahead);
      ahead.next += inputs / kInt8Inputs * ahead.bytes_a_step;
    }
    LastTile<L::kInt8Rows - 1, C>(a, row, end - row, output, ahead);
  }

  // The tile of exactly `rows` rows, at most R.
  template <int R, int C>
  static void LastTile(const Int8LinearArgs& a, int row, int rows, int output, const Ahead& ahead) {
    if constexpr (R > 0) {
      if (rows == R) {
        Tile<R, C>(a, row, output, ahead);
      } else {
        LastTile<R - 1, C>(a, row, rows, output, ahead);
      }
    }
  }

  template <int R, int C>
  static void Tile(const Int8LinearArgs& a, int row, int output, Ahead ahead) {
    const unsigned long inputs = static_cast<unsigned long>(Padded(a.weights.inputs, kInt8Inputs));
    const unsigned char* q = a.q + row * a.q_stride;
    const signed char* w = a.weights.packed + output * inputs;
    const unsigned long block = kLanes * inputs;
    I sums[R][C];
    for (int r = 0; r < R; ++r) {
      for (int c = 0; c < C; ++c) sums[r][c] = L::ZeroInts();
    }
    for (unsigned long k = 0; k < inputs; k += kInt8Inputs) {
      typename L::Weights weights[C];
      for (int c = 0; c < C; ++c) weights[c] = L::LoadWeights(w + c * block + k * kLanes);
      ahead.Fetch();
      for (int r = 0; r < R; ++r) {
        const typename L::Inputs four = L::LoadInputs(q + r * a.q_stride + k);
        for (int c = 0; c < C; ++c) sums[r][c] = L::Dot(sums[r][c], four, weights[c]);
      }
    }

    // Through memory, with every index known: an array that is also read by a running index would live in memory all
    // along.
    alignas(64) int exact[R * C * kLanes];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
      for (int c = 0; c < C; ++c) L::StoreInts(exact + (r * C + c) * kLanes, sums[r][c]);
    }
    Finish(a, row, R, output, C, exact);
  }
};

}  // namespace ks
