// The int8 linear over AMX tiles: blocks of 2 x 2 tiles, 32 rows by 32 outputs, over 64 inputs a step.
//
// The packed weights of 16 outputs and 64 inputs are 1024 bytes on end: a tile as it lies. A panel of 32 outputs meets
// all rows of a block before the next panel is read, so the weights pass once for up to kRowBlock rows. What is left of
// the inputs after the last 64 is added to the stored sums over the lanes; they are integers, so the bits are those of
// int8_linear_kernel.h, which finishes them too.
#pragma once

#include "kernels/int8_linear_kernel.h"

namespace ks {

// `L` finishes the sums, `Tiles` is AmxTiles or EmulatedAmxTiles.
template <typename L, template <typename> typename Tiles>
struct AmxLinearKernel {
  using I = typename L::I;
  static constexpr int kLanes = 16;
  static constexpr int kRows = 32;  // of a block of tiles
  static constexpr int kTileInputs = 64;
  // Rows that stay in the second-level cache while all of the weights pass by.
  static constexpr int kRowBlock = 256;

  static void Run(const Int8LinearArgs& a) {
    const int full = a.rows / kRows * kRows;
    for (int first = 0; first < full; first += kRowBlock) {
      Tiles<L> tiles(16, 16);
      Rows<2>(a, first, first + kRowBlock < full ? first + kRowBlock : full, tiles);
    }
    const int left = a.rows - full;
    if (left > 16) {
      Tiles<L> tiles(16, left - 16);
      Rows<2>(a, full, a.rows, tiles);
    } else if (left > 0) {
      Tiles<L> tiles(left, 0);
      Rows<1>(a, full, a.rows, tiles);
    }
  }

 private:
  // The rows [first, end), R tiles of them at a time.
  template <int R>
  static void Rows(const Int8LinearArgs& all, int first, int end, Tiles<L>& tiles) {
    int zero_points[kRowBlock];
    const Int8LinearArgs a = Int8LinearKernel<L>::RowsFrom(all, first, end - first, 0, zero_points);
    int output = 0;
    for (; output + kLanes < a.weights.outputs; output += 2 * kLanes) Panel<R, 2>(a, output, tiles);
    if (output < a.weights.outputs) Panel<R, 1>(a, output, tiles);
  }

  template <int R, int C>
  static void Panel(const Int8LinearArgs& a, int output, Tiles<L>& tiles) {
    for (int row = 0; row < a.rows; row += kRows) {
      Block<R, C>(a, row, a.rows - row < kRows ? a.rows - row : kRows, output, tiles);
    }
  }

  // R x C tiles of sums: `rows` rows, C * 16 outputs.
  template <int R, int C>
  static void Block(const Int8LinearArgs& a, int row, int rows, int output, Tiles<L>& tiles) {
    const unsigned long inputs =
        static_cast<unsigned long>((a.weights.inputs + kInt8Inputs - 1) / kInt8Inputs) * kInt8Inputs;
    const unsigned char* q = a.q + row * a.q_stride;
    const signed char* w = a.weights.packed + output * inputs;
    const unsigned long block = kLanes * inputs;
    tiles.template ZeroSums<R>();
    unsigned long k = 0;
    for (; k + kTileInputs <= inputs; k += kTileInputs) {
      tiles.template LoadRows<0>(q + k, a.q_stride);
      tiles.template LoadWeights<0>(w + k * kLanes);
      tiles.template Dot<0, 0>();
      if constexpr (C == 2) {
        tiles.template LoadWeights<1>(w + block + k * kLanes);
        tiles.template Dot<0, 1>();
      }
      if constexpr (R == 2) {
        tiles.template LoadRows<1>(q + 16 * a.q_stride + k, a.q_stride);
        tiles.template Dot<1, 0>();
        if constexpr (C == 2) tiles.template Dot<1, 1>();
      }
    }
    constexpr unsigned long kStride = C * kLanes;
    alignas(64) int sums[R * 16 * kStride];  // [rows][C][16]
    tiles.template StoreSums<0, 0>(sums, kStride);
    if constexpr (C == 2) tiles.template StoreSums<0, 1>(sums + kLanes, kStride);
    if constexpr (R == 2) {
      tiles.template StoreSums<1, 0>(sums + 16 * kStride, kStride);
      if constexpr (C == 2) tiles.template StoreSums<1, 1>(sums + 16 * kStride + kLanes, kStride);
    }
    if (k < inputs) {
      for (int r = 0; r < rows; ++r) {
        for (int c = 0; c < C; ++c) {
          int* const sum = sums + r * kStride + c * kLanes;
          AddRest(q + r * a.q_stride, w + c * block, k, inputs, sum);
        }
      }
    }
    Int8LinearKernel<L>::Finish(a, row, rows, output, C, sums);
  }

  // sum += the products of the inputs [k, inputs) of one row with 16 outputs.
  static void AddRest(const unsigned char* q, const signed char* w, unsigned long k, unsigned long inputs, int* sum) {
    I total = L::LoadInts(sum);
    for (; k < inputs; k += kInt8Inputs) total = L::Dot(total, L::LoadInputs(q + k), L::LoadWeights(w + k * kLanes));
    L::StoreInts(sum, total);
  }
};

}  // namespace ks
