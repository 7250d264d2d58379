// The few tile operations that the AMX kernel needs, on the instructions. Included by isa_amx.cc alone.
//
// A Tiles object holds a block of sums, 2 x 2 tiles of [16 rows][16 outputs] int32, and what they are added up from: two
// tiles of rows, uint8 [16][64], and two of weights, int8 [16][16][4]. That is all eight registers. At the end of its
// life the registers are free again; one object at a time. What each operation means is written out in
// amx_tiles_emulated.h, which has the same names:
//   Tiles(rows)       rows of a row tile, 1 to 16; sums have as many
//   ZeroSums<R>()     the sums of R row tiles
//   LoadRows<R>       row tile R from rows `stride` bytes apart, 64 bytes of each; no others are touched
//   LoadWeights<C>    weight tile C from 1024 bytes: 16 lines as PackInt8Weights packs them
//   Dot<R, C>         sums (R, C) += row tile R times weight tile C, modulo 2^32
//   StoreSums<R, C>   sums (R, C) to rows `stride` ints apart, 16 ints of each
// `L` marks the functions as their instruction set's own (lanes_scalar.h says why).
#pragma once

#include <immintrin.h>

namespace ks {

template <typename L>
class AmxTiles {
 public:
  explicit AmxTiles(int rows) {
    Config config = {};
    config.palette = 1;
    for (int tile = 0; tile < 8; ++tile) {
      config.row_bytes[tile] = 64;
      config.rows[tile] = static_cast<unsigned char>(tile < 6 ? rows : 16);
    }
    // Not _tile_loadconfig: g++ takes it to read eight bytes, and may drop what it wrote to the others.
    __asm__ volatile("ldtilecfg %0" ::"m"(config));
  }
  ~AmxTiles() { _tile_release(); }
  AmxTiles(const AmxTiles&) = delete;
  AmxTiles& operator=(const AmxTiles&) = delete;

  // The registers' numbers must be literals.
  template <int kRowTiles>
  void ZeroSums() {
    _tile_zero(0);
    _tile_zero(1);
    if constexpr (kRowTiles == 2) {
      _tile_zero(2);
      _tile_zero(3);
    }
  }
  template <int R>
  void LoadRows(const unsigned char* p, unsigned long stride) {
    if constexpr (R == 0) {
      _tile_loadd(4, p, stride);
    } else {
      _tile_loadd(5, p, stride);
    }
  }
  template <int C>
  void LoadWeights(const signed char* p) {
    if constexpr (C == 0) {
      _tile_loadd(6, p, 64);
    } else {
      _tile_loadd(7, p, 64);
    }
  }
  template <int R, int C>
  void Dot() {
    if constexpr (R == 0 && C == 0) {
      _tile_dpbusd(0, 4, 6);
    } else if constexpr (R == 0) {
      _tile_dpbusd(1, 4, 7);
    } else if constexpr (C == 0) {
      _tile_dpbusd(2, 5, 6);
    } else {
      _tile_dpbusd(3, 5, 7);
    }
  }
  template <int R, int C>
  void StoreSums(int* p, unsigned long stride) const {
    const unsigned long bytes = stride * sizeof(int);
    if constexpr (R == 0 && C == 0) {
      _tile_stored(0, p, bytes);
    } else if constexpr (R == 0) {
      _tile_stored(1, p, bytes);
    } else if constexpr (C == 0) {
      _tile_stored(2, p, bytes);
    } else {
      _tile_stored(3, p, bytes);
    }
  }

 private:
  // LDTILECFG's 64 bytes.
  struct alignas(64) Config {
    unsigned char palette, start_row, reserved[14];
    unsigned short row_bytes[16];
    unsigned char rows[16];
  };
};

}  // namespace ks
