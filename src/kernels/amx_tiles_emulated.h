// The tile operations of amx_tiles.h in plain C++: what they mean, and how tests walk the AMX kernel on any CPU.
#pragma once

namespace ks {

template <typename L>
class EmulatedAmxTiles {
 public:
  explicit EmulatedAmxTiles(int rows) : rows_(rows) {}

  template <int N>
  void ZeroSums() {
    __builtin_memset(sums_, 0, N * sizeof(sums_[0]));
  }
  template <int R>
  void LoadRows(const unsigned char* p, unsigned long stride) {
    for (int r = 0; r < rows_; ++r) __builtin_memcpy(row_tiles_[R][r], p + r * stride, 64);
  }
  template <int W>
  void LoadWeights(const signed char* p) {
    __builtin_memcpy(weight_tiles_[W], p, sizeof(weight_tiles_[W]));
  }
  template <int S, int R, int W>
  void Dot() {
    for (int r = 0; r < rows_; ++r) {
      for (int line = 0; line < 16; ++line) {
        for (int n = 0; n < 16; ++n) {
          int four = 0;
          for (int i = 0; i < 4; ++i) four += row_tiles_[R][r][4 * line + i] * weight_tiles_[W][line][4 * n + i];
          sums_[S][r][n] += static_cast<unsigned>(four);
        }
      }
    }
  }
  template <int S>
  void StoreSums(int* p, unsigned long stride) const {
    for (int r = 0; r < rows_; ++r) __builtin_memcpy(p + r * stride, sums_[S][r], sizeof(sums_[S][r]));
  }

 private:
  int rows_;
  unsigned char row_tiles_[2][16][64];
  signed char weight_tiles_[2][16][64];
  unsigned sums_[4][16][16];
};

}  // namespace ks
