// The few tile operations that the AMX kernel needs, on the instructions. Included by isa_amx.cc alone.
//
// A Tiles object holds four tiles of sums, [16 rows][16 outputs] int32, and what they are added up from: two tiles of rows,
// uint8 [16][64], and two of weights, int8 [16][16][4]. That is all eight registers. At the end of its life the registers
// are free again; one object at a time. What each operation means is written out in amx_tiles_emulated.h, which has the
// same names:
//   Tiles(rows)       rows of a row tile, 1 to 16; sums have as many
//   ZeroSums<N>()     the first N tiles of sums
//   LoadRows<R>       row tile R from rows `stride` bytes apart, 64 bytes of each; no others are touched
//   LoadWeights<W>    weight tile W from 1024 bytes: 16 lines as PackInt8Weights packs them
//   Dot<S, R, W>      sums S += row tile R times weight tile W, modulo 2^32
//   StoreSums<S>      sums S to rows `stride` ints apart, 16 ints of each
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
      config.rows[tile] = static_cast<unsigned char>(tile < kWeights ? rows : 16);
    }
    // Not _tile_loadconfig: g++ takes it to read eight bytes, and may drop what it wrote to the others.
    __asm__ volatile("ldtilecfg %0" ::"m"(config));
  }
  ~AmxTiles() { _tile_release(); }
  AmxTiles(const AmxTiles&) = delete;
  AmxTiles& operator=(const AmxTiles&) = delete;

  // In assembly, since the intrinsics want a register's number as a literal. What is loaded was written elsewhere.
  template <int N>
  void ZeroSums() {
    if constexpr (N > 1) ZeroSums<N - 1>();
    __asm__ volatile("tilezero %%tmm%c0" ::"i"(N - 1));
  }
  template <int R>
  void LoadRows(const unsigned char* p, unsigned long stride) {
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(p), "r"(stride), "i"(kRows + R));
  }
  template <int W>
  void LoadWeights(const signed char* p) {
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(p), "r"(64ul), "i"(kWeights + W));
  }
  template <int S, int R, int W>
  void Dot() {
    __asm__ volatile("tdpbusd %%tmm%c0, %%tmm%c1, %%tmm%c2" ::"i"(kWeights + W), "i"(kRows + R), "i"(S));
  }
  template <int S>
  void StoreSums(int* p, unsigned long stride) const {
    __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(p), "r"(stride * sizeof(int)), "i"(S) : "memory");
  }

 private:
  // Registers: sums from 0 on.
  static constexpr int kRows = 4, kWeights = 6;

  // LDTILECFG's 64 bytes.
  struct alignas(64) Config {
    unsigned char palette, start_row, reserved[14];
    unsigned short row_bytes[16];
    unsigned char rows[16];
  };
};

}  // namespace ks
