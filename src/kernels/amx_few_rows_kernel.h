// The int8 linear over AMX tiles for up to 64 rows at a time, which is most single texts.
//
// So few rows take hardly longer than their weights take to come from the last-level cache. All row tiles meet a tile of
// weights at once, so that weights are read in the order in which they lie, a kilobyte a step, and only once. What comes
// next is asked for, but only the first half of each tile, two tiles ahead and into the first level: the core's own
// prefetcher brings the rest, and the two together are faster than either, where tiles lie on boundaries of 1024 bytes as
// in packages (checkpoint/safetensors.h). As in amx_linear_kernel.h the sums before are finished beside the products.
#pragma once

#include "kernels/amx_parts.h"
#include "kernels/int8_linear_kernel.h"

namespace ks {

template <typename L, template <typename> typename Tiles>
struct AmxFewRowsKernel : private AmxParts<L> {
  using AmxParts<L>::kTileRows;

  // Whether this is the faster way: where rows leave the first-level cache room for what passes by, and the second-level
  // one has the weights if they are read more than once. Or where there are three row tiles, whose last one would have
  // blocks of 2 x 2 to itself.
  static bool Suits(const Int8LinearArgs& a) {
    const long inputs = a.weights.inputs;
    if (Tiled(a.rows) == 3 * kTileRows) return true;
    return Least(a.rows, kMostRows) * inputs <= kMostRowBytes &&
           (a.rows <= kMostRows || a.weights.outputs * inputs <= kMostWeightBytes);
  }

  static void Run(const Int8LinearArgs& a) {
    const int parts = (a.rows + kMostRows - 1) / kMostRows;
    const int each = Tiled((a.rows + parts - 1) / parts);
    for (int first = 0; first < a.rows; first += each) {
      const int rows = Least(a.rows - first, each);
      switch (Tiled(rows) / kTileRows) {
        case 1:
          Rows<1>(a, first, rows);
          break;
        case 2:
          Rows<2>(a, first, rows);
          break;
        case 3:
          Rows<3>(a, first, rows);
          break;
        default:
          Rows<4>(a, first, rows);
      }
    }
  }

 private:
  using AmxParts<L>::kLanes;
  using AmxParts<L>::kLine;
  using AmxParts<L>::kTileInputs;
  using AmxParts<L>::Least;
  using AmxParts<L>::Padded;

  static constexpr int kMostRows = 4 * kTileRows;
  static constexpr long kMostRowBytes = 32 << 10;
  static constexpr long kMostWeightBytes = 768 << 10;
  static constexpr long kAhead = 2 << 10;  // bytes between what is multiplied and what is asked for
  static constexpr int kAskedLines = 8;    // of the 16 of a step

  static int Tiled(int rows) { return Padded(rows, kTileRows); }

  // The sums [rows][16] of 16 outputs, which wait to be finished, some rows a piece.
  struct Waiting {
    const int* sums = nullptr;
    int output = 0;
    int done = 0, pieces = 0;

    void Finish(const Int8LinearArgs& a) {
      const int first = done++ * L::kInt8Finished;
      Int8LinearKernel<L>::FinishBlock(a, first, Least(a.rows - first, L::kInt8Finished), output, sums + first * kLanes,
                                       kLanes);
    }
    void FinishAll(const Int8LinearArgs& a) {
      while (done < pieces) Finish(a);
    }
  };

  // R row tiles from the row `first` on.
  template <int R>
  static void Rows(const Int8LinearArgs& all, int first, int rows) {
    Tiles<L> tiles(Least(rows, kTileRows));
    int zero_points[R * kTileRows];
    const Int8LinearArgs a = Int8LinearKernel<L>::RowsFrom(all, first, rows, 0, zero_points);
    const int pieces = (a.rows + L::kInt8Finished - 1) / L::kInt8Finished;
    alignas(64) int sums[2][R * kTileRows * kLanes];
    Waiting waiting;
    for (int output = 0, turn = 0; output < a.weights.outputs; output += kLanes, turn ^= 1) {
      Multiply<R>(a, output, sums[turn], waiting, tiles);
      waiting = {sums[turn], output, 0, pieces};
    }
    waiting.FinishAll(a);
  }

  // Row tile r begins here: the last one earlier, where rows do not fill it.
  template <int R>
  static int FirstRow(int r, int rows) {
    return r < R - 1 || R == 1 ? r * kTileRows : rows - kTileRows;
  }

  template <int R>
  static void Multiply(const Int8LinearArgs& a, int output, int* sums, Waiting& waiting, Tiles<L>& tiles) {
    const long inputs = Padded(a.weights.inputs, kInt8Inputs);
    const long steps = inputs / kTileInputs;
    const signed char* const w = a.weights.packed + output * inputs;
    tiles.template ZeroSums<R>();
    long due = 0;
    for (long k = 0; k < steps * kTileInputs; k += kTileInputs) {
      tiles.template LoadWeights<0>(w + k * kLanes);
      Dots<0, R>(a, k, tiles);
      const char* const ahead = reinterpret_cast<const char*>(w) + k * kLanes + kAhead;
      for (int line = 0; line < kAskedLines; ++line) __builtin_prefetch(ahead + line * kLine, 0, 3);
      due += waiting.pieces;
      for (; due >= steps; due -= steps) waiting.Finish(a);
    }
    waiting.FinishAll(a);
    Store<0, R>(a.rows, sums, tiles);
    if (steps * kTileInputs == inputs) return;
    for (int row = 0; row < a.rows; ++row) {
      AmxParts<L>::AddRest(a.q + row * a.q_stride, w, steps * kTileInputs, inputs, sums + row * kLanes);
    }
  }

  // The products of the row tiles from r on; two registers take turns with their rows.
  template <int r, int R>
  static void Dots(const Int8LinearArgs& a, long k, Tiles<L>& tiles) {
    if constexpr (r < R) {
      tiles.template LoadRows<r % 2>(a.q + FirstRow<R>(r, a.rows) * a.q_stride + k, a.q_stride);
      tiles.template Dot<r, r % 2, 0>();
      Dots<r + 1, R>(a, k, tiles);
    }
  }

  template <int r, int R>
  static void Store(int rows, int* sums, const Tiles<L>& tiles) {
    if constexpr (r < R) {
      tiles.template StoreSums<r>(sums + FirstRow<R>(r, rows) * kLanes, kLanes);
      Store<r + 1, R>(rows, sums, tiles);
    }
  }
};

}  // namespace ks
