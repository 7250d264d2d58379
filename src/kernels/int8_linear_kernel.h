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

  static void Run(const Int8LinearArgs& a) {
    constexpr int kColumns = L::kInt8Blocks * kLanes;
    int zero_points[kRowBlock];
    for (int first = 0; first < a.rows; first += kRowBlock) {
      const Int8LinearArgs block = RowsFrom(a, first, Least(a.rows - first, kRowBlock), 0, zero_points);
      int output = 0;
      for (; output + kColumns <= Padded(a.weights.outputs, kLanes); output += kColumns) {
        Panel<L::kInt8Blocks>(block, output);
      }
      for (; output < a.weights.outputs; output += kLanes) Panel<1>(block, output);
    }
  }

  // Some rows as Finish takes them, with their zero points, less `shift`, in an array of the caller's.
  static Int8LinearArgs RowsFrom(const Int8LinearArgs& a, int first, int rows, int shift, int* zero_points) {
    Int8LinearArgs part = a;
    part.q += first * a.q_stride;
    part.scales += first;
    for (int r = 0; r < rows; ++r) zero_points[r] = L::ZeroPoint(a.zero_points[first + r] - shift);
    part.zero_points = zero_points;
    if (part.residual != nullptr) part.residual += first * a.residual_stride;
    part.out += first * a.out_stride;
    part.rows = rows;
    return part;
  }

  // From sums [rows, blocks, 16] of RowsFrom's rows to out. One copy for all tiles.
  [[gnu::noinline]] static void Finish(const Int8LinearArgs& a, int row, int rows, int output, int blocks,
                                       const int* sums) {
    for (int c = 0; c < blocks; ++c) FinishBlock(a, row, rows, output + c * kLanes, sums + c * kLanes, blocks * kLanes);
  }

  // The same of 16 columns alone, whose sums lie `stride` ints apart; the kernels over tiles end here too. N rows at a
  // time, then half as many while some are left.
  template <int N = L::kInt8Finished>
  static void FinishBlock(const Int8LinearArgs& a, int row, int rows, int column, const int* sums, int stride) {
    for (; rows >= N; rows -= N) {
      FinishRows<N>(a, row, column, sums, stride);
      row += N;
      sums += N * stride;
    }
    if constexpr (N > 1) FinishBlock<N / 2>(a, row, rows, column, sums, stride);
  }

 private:
  using KernelParts<L>::Columns;
  using KernelParts<L>::Least;
  using KernelParts<L>::Padded;

  // N rows of 16 columns, whose sums lie `stride` ints apart.
  template <int N>
  static void FinishRows(const Int8LinearArgs& a, int row, int column, const int* sums, int stride) {
    using Wide = WideLanes<L, N>;
    const int n = Least(a.weights.outputs - column, kLanes);
    const typename L::ColumnSums column_sums = L::LoadColumnSums(a.weights.column_sums + column);
    const F column_scales = L::Load(a.weights.scales + column);
    const F bias = a.weights.bias == nullptr ? L::Zero() : L::Load(a.weights.bias + column);
    const int* const zero_points = a.zero_points + row;
    const float* const scales = a.scales + row;
    typename Wide::F x;
#pragma GCC unroll 8
    for (int r = 0; r < N; ++r) {
      const I exact = L::SubZeroPoint(L::LoadInts(sums + r * stride), zero_points[r], column_sums);
      x.v[r] = L::Fma(L::ToFloats(exact), L::Mul(L::Set(scales[r]), column_scales), bias);
    }
    if (a.epilogue == Epilogue::kGelu) x = LanesMath<Wide>::CoarseGelu(x);
    if (a.residual != nullptr) {
      const unsigned long apart = a.residual_stride;
      const float* const residual = a.residual + row * apart + column;
#pragma GCC unroll 8
      for (int r = 0; r < N; ++r) x.v[r] = L::Add(x.v[r], Columns(residual + r * apart, n));
    }
    const unsigned long apart = a.out_stride;
    float* const out = a.out + row * apart + column;
    if (n == kLanes) {
#pragma GCC unroll 8
      for (int r = 0; r < N; ++r) L::Store(out + r * apart, x.v[r]);
    } else {
#pragma GCC unroll 8
      for (int r = 0; r < N; ++r) L::StoreFirst(out + r * apart, x.v[r], n);
    }
  }

  // The weights that come after a panel's own, asked for while those are in use: a core does not see across pages, and
  // waits long for the last-level cache. Each step of each tile asks for its share of them.
  struct Ahead {
    static constexpr long kLine = 64;
    const char* next;
    long bytes_a_step;

    void Fetch() {
      __builtin_prefetch(next, 0, 2);  // the second level: in the first the panel itself needs the room
      if (bytes_a_step > kLine) [[unlikely]] {
        for (long line = kLine; line < bytes_a_step; line += kLine) __builtin_prefetch(next + line, 0, 2);
      }
      next += bytes_a_step;
    }
  };

  // C blocks of outputs for all rows.
  template <int C>
  static void Panel(const Int8LinearArgs& a, int output) {
    const long inputs = Padded(a.weights.inputs, kInt8Inputs);
    const int after = output + C * kLanes < a.weights.outputs ? output + C * kLanes : 0;
    const long tiles = (a.rows + L::kInt8Rows - 1) / L::kInt8Rows;
    Ahead ahead = {reinterpret_cast<const char*>(a.weights.packed) + after * inputs,
                   (C * kLanes * kInt8Inputs + tiles - 1) / tiles};
    int row = 0;
    for (; row + L::kInt8Rows <= a.rows; row += L::kInt8Rows) {
      Tile<L::kInt8Rows, C>(a, row, output, ahead);
      ahead.next += inputs / kInt8Inputs * ahead.bytes_a_step;
    }
    LastTile<L::kInt8Rows - 1, C>(a, row, a.rows - row, output, ahead);
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
  [[gnu::noinline]] static void Tile(const Int8LinearArgs& a, int row, int output, Ahead ahead) {
    const unsigned long inputs = static_cast<unsigned long>(Padded(a.weights.inputs, kInt8Inputs));
    const unsigned long stride = a.q_stride;
    const unsigned long block = kLanes * inputs;
    // Rows in fours: an address has a base, a stride and 1, 2, 4 or 8 of it, so that two bases and three strides reach
    // eight rows. With a pointer for each the loop runs out of registers.
    const unsigned char* q = a.q + row * stride;
    const unsigned char* fifth = R > 4 ? q + 4 * stride : q;
    const unsigned char* const end = q + inputs;
    const signed char* w = a.weights.packed + output * inputs;
    I sums[R][C];
    for (int r = 0; r < R; ++r) {
      for (int c = 0; c < C; ++c) sums[r][c] = L::ZeroInts();
    }
    for (; q != end; q += kInt8Inputs, fifth += kInt8Inputs, w += kInt8Inputs * kLanes) {
      typename L::Weights weights[C];
      for (int c = 0; c < C; ++c) weights[c] = L::LoadWeights(w + c * block);
      ahead.Fetch();
      for (int r = 0; r < R; ++r) {
        const typename L::Inputs four = L::LoadInputs((r < 4 ? q : fifth) + r % 4 * stride);
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
