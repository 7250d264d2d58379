// The int8 linear over AMX tiles: blocks of 2 x 2 tiles, 32 rows by 32 outputs, over 64 inputs a step. Few rows go another
// way (amx_few_rows_kernel.h).
//
// The packed weights of 16 outputs and 64 inputs are 1024 bytes on end: a tile as it lies. A panel of 32 outputs meets
// all rows of a block before the next panel is read, so the weights pass once for up to kRowBlock rows. Tiles work beside
// the vector unit: while a block's products run, the sums of the block before it are finished, a piece after each step.
// What is left of the inputs after the last 64 is added to the stored sums over the lanes; they are integers, so the bits
// are those of int8_linear_kernel.h, which finishes them too.
#pragma once

#include "kernels/amx_few_rows_kernel.h"
#include "kernels/amx_parts.h"
#include "kernels/int8_linear_kernel.h"

namespace ks {

// `L` finishes the sums, `Tiles` is AmxTiles or EmulatedAmxTiles.
template <typename L, template <typename> typename Tiles>
struct AmxLinearKernel : private AmxParts<L> {
  using AmxParts<L>::kLanes;
  using AmxParts<L>::kLine;
  using AmxParts<L>::kTileInputs;
  using AmxParts<L>::kTileRows;
  static constexpr int kRows = 2 * kTileRows;  // of a block of tiles
  static constexpr int kOutputs = 2 * kLanes;  // of a panel
  // Rows that stay in the second-level cache while all of the weights pass by.
  static constexpr int kRowBlock = 256;

  static void Run(const Int8LinearArgs& a) {
    using FewRows = AmxFewRowsKernel<L, Tiles>;
    if (FewRows::Suits(a)) return FewRows::Run(a);
    Tiles<L> tiles(Least(a.rows, kTileRows));
    for (int first = 0; first < a.rows; first += kRowBlock) {
      Rows(a, first, Least(a.rows - first, kRowBlock), tiles);
    }
  }

 private:
  using AmxParts<L>::Least;
  using AmxParts<L>::Padded;

  // The sums of a block that wait to be finished, [rows][kOutputs]. Never copied: what is stored in small and loaded in
  // large pieces waits until all stores before it, and with them a block's tiles, have reached the cache.
  struct Waiting {
    const int* sums = nullptr;
    int row = 0, rows = 0;
    int output = 0, columns = 0;  // the first output; blocks of 16
    int done = 0, pieces = 0;     // a piece is some rows of 16 outputs

    // Not inlined: one copy of GELU for all shapes of blocks.
    [[gnu::noinline]] void Finish(const Int8LinearArgs& a) {
      const int column = done % columns;
      const int first = done / columns * L::kInt8Finished;
      ++done;
      Int8LinearKernel<L>::FinishBlock(a, row + first, Least(rows - first, L::kInt8Finished), output + column * kLanes,
                                       sums + first * kOutputs + column * kLanes, kOutputs);
    }
    void FinishAll(const Int8LinearArgs& a) {
      while (done < pieces) Finish(a);
    }
  };

  // Where a block is and what is done beside its products.
  struct Work {
    int row = 0;     // of the first row tile
    int second = 0;  // rows from there to the second row tile; at the end fewer than 16, where the two overlap
    int output = 0;
    int* sums = nullptr;          // [kRows][kOutputs]
    const char* ahead = nullptr;  // weights to be asked for
    long lines_a_step = 0;
  };

  // `count` rows from `first` on.
  static void Rows(const Int8LinearArgs& all, int first, int count, Tiles<L>& tiles) {
    int zero_points[kRowBlock];
    const Int8LinearArgs a = Int8LinearKernel<L>::RowsFrom(all, first, count, 0, zero_points);
    const long inputs = Padded(a.weights.inputs, kInt8Inputs);
    const int blocks = (count + kRows - 1) / kRows;
    alignas(64) int sums[2][kRows * kOutputs];
    Waiting waiting[2];
    int turn = 0;
    for (int output = 0; output < a.weights.outputs; output += kOutputs) {
      const int columns = output + kLanes < a.weights.outputs ? 2 : 1;
      const int after = output + kOutputs < a.weights.outputs ? output + kOutputs : 0;
      Work work;
      work.output = output;
      work.ahead = reinterpret_cast<const char*>(a.weights.packed) + after * inputs;
      // With one block the core's own prefetcher is faster: panels follow each other without a pause.
      work.lines_a_step = blocks > 1 ? (kOutputs + blocks - 1) / blocks : 0;
      for (int row = 0; row < count; row += kRows) {
        const int rows = Least(count - row, kRows);
        // A row tile has 16 rows, so the last begins earlier, where there are as many; those rows are not finished again.
        const int again = rows < kTileRows && all.rows >= kTileRows ? kTileRows - rows : 0;
        work.row = row - again;
        work.second = rows - kTileRows;
        work.sums = sums[turn];
        Waiting& last = waiting[turn ^ 1];
        if (rows > kTileRows) {
          columns == 2 ? Block<2, 2>(a, work, last, tiles) : Block<2, 1>(a, work, last, tiles);
        } else {
          columns == 2 ? Block<1, 2>(a, work, last, tiles) : Block<1, 1>(a, work, last, tiles);
        }
        Waiting& next = waiting[turn];
        next.sums = sums[turn] + again * kOutputs;
        next.row = row;
        next.rows = rows;
        next.output = output;
        next.columns = columns;
        next.done = 0;
        next.pieces = (rows + L::kInt8Finished - 1) / L::kInt8Finished * columns;
        turn ^= 1;
        work.ahead += inputs / kTileInputs * work.lines_a_step * kLine;
      }
    }
    waiting[turn ^ 1].FinishAll(a);
  }

  // R x C tiles of sums.
  template <int R, int C>
  [[gnu::noinline]] static void Block(const Int8LinearArgs& a, const Work& work, Waiting& waiting, Tiles<L>& tiles) {
    const long stride = static_cast<long>(a.q_stride);
    const long inputs = Padded(a.weights.inputs, kInt8Inputs);
    const long steps = inputs / kTileInputs;
    const unsigned char* const q = a.q + work.row * stride;
    const unsigned char* const second = q + (R == 2 ? work.second * stride : 0);
    const signed char* const w = a.weights.packed + work.output * inputs;
    const long column = kLanes * inputs;
    tiles.template ZeroSums<2 * R>();
    const char* ahead = work.ahead;
    const long lines_a_step = work.lines_a_step;
    long due = 0;
    for (long k = 0; k < steps * kTileInputs; k += kTileInputs) {
      tiles.template LoadRows<0>(q + k, a.q_stride);
      tiles.template LoadWeights<0>(w + k * kLanes);
      tiles.template Dot<0, 0, 0>();
      if constexpr (C == 2) {
        tiles.template LoadWeights<1>(w + column + k * kLanes);
        tiles.template Dot<1, 0, 1>();
      }
      if constexpr (R == 2) {
        tiles.template LoadRows<1>(second + k, a.q_stride);
        tiles.template Dot<2, 1, 0>();
        if constexpr (C == 2) tiles.template Dot<3, 1, 1>();
      }
      for (long line = 0; line < lines_a_step; ++line) __builtin_prefetch(ahead + line * kLine, 0, 2);
      ahead += lines_a_step * kLine;
      due += waiting.pieces;
      for (; due >= steps; due -= steps) waiting.Finish(a);
    }
    waiting.FinishAll(a);
    tiles.template StoreSums<0>(work.sums, kOutputs);
    if constexpr (C == 2) tiles.template StoreSums<1>(work.sums + kLanes, kOutputs);
    int* const below = work.sums + (R == 2 ? work.second * kOutputs : 0);
    if constexpr (R == 2) {
      tiles.template StoreSums<2>(below, kOutputs);
      if constexpr (C == 2) tiles.template StoreSums<3>(below + kLanes, kOutputs);
    }
    if (steps * kTileInputs == inputs) return;
    const int rows = Least(a.rows - work.row, R == 2 ? work.second + kTileRows : kTileRows);
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < C; ++c) {
        AmxParts<L>::AddRest(q + r * stride, w + c * column, steps * kTileInputs, inputs,
                             work.sums + r * kOutputs + c * kLanes);
      }
    }
  }
};

}  // namespace ks
