// What the kernels of a set share besides its lanes. Tested by the kernels' own tests.
#pragma once

namespace ks {

// A template of the lanes, so that each set has a copy of its own (lanes_scalar.h says why).
template <typename L>
struct KernelParts {
  using F = typename L::F;
  static constexpr int kLanes = 16;

  static constexpr int Least(int a, int b) { return a < b ? a : b; }
  static constexpr int Padded(int n, int step) { return (n + step - 1) / step * step; }

  // The first `count` of 16 numbers, 1 <= count <= 16, and zeros; touches no other memory.
  static F Columns(const float* p, int count) { return count == kLanes ? L::Load(p) : L::LoadFirst(p, count); }
  static F Columns(const unsigned short* p, int count) {
    return count == kLanes ? L::LoadHalf(p) : L::LoadHalfFirst(p, count);
  }

  // body(i, n) for the columns [i, i + n) of a row, 16 at a time.
  template <typename Body>
  static void ForEach(int width, Body body) {
    int i = 0;
    for (; i + kLanes <= width; i += kLanes) body(i, kLanes);
    if (i < width) body(i, width - i);
  }

  // Asks for the same row of the head after this one, which comes next: rows are too far apart for the hardware to see them
  // coming. Asking for memory that is none is harmless.
  static void FetchNextHead(const float* row, int head_size) {
    for (int c = 0; c < head_size; c += kLanes) __builtin_prefetch(row + head_size + c);
  }

  // body.operator()<R, C>(row, some, column, last) for tiles of R rows and C registers of columns: `some` of the rows and
  // `last` columns of the last register are results, the others stand in lanes that hold numbers and are not wanted.
  template <typename Body>
  static void ForEachTile(int rows, int columns, Body body) {
    static_assert(kLanes % L::kRowSmall == 0 && L::kRowTile % L::kRowSmall == 0);
    int row = 0;
    for (; row + L::kRowTile <= rows; row += L::kRowTile) TilesOfRows<L::kRowTile>(row, L::kRowTile, columns, body);
    for (; row < rows; row += L::kRowSmall) {
      TilesOfRows<L::kRowSmall>(row, Least(rows - row, L::kRowSmall), columns, body);
    }
  }

 private:
  template <int R, typename Body>
  static void TilesOfRows(int row, int some, int columns, Body& body) {
    constexpr int kStep = L::kRowColumns * kLanes;
    int c = 0;
    for (; c + kStep <= columns; c += kStep) body.template operator()<R, L::kRowColumns>(row, some, c, kLanes);
    for (; c < columns; c += kLanes) body.template operator()<R, 1>(row, some, c, Least(columns - c, kLanes));
  }
};

}  // namespace ks
