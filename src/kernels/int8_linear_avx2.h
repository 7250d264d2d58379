// The int8 linear on AVX2, whose product of unsigned with signed bytes (vpmaddubsw) saturates at 16 bits.
//
// It cannot with s = q - 128 and m = -1 where s < 0, else 0: two products |s| * (w ^ m) lie within 16 bits, since
// |s| <= 128 and -128 <= w ^ m <= 127. Where s < 0, w ^ m is -w - 1, so that
//   sum of q * w = sum of |s| * (w ^ m)  +  sum of |s| over the negative s  +  128 * sum of w
// The second is one number for each row: its sums start there. The third is taken out of the zero point. What is left
// are four instructions for 32 products, as many as vpmaddwd would take, which needs both sides widened before.
//
// |s| and m of a block of rows are prepared once, side by side; then each panel of 16 outputs meets all of them. Sums
// are integers modulo 2^32, so the bits are those of int8_linear_kernel.h, which finishes them.
#pragma once

#include <immintrin.h>

#include "kernels/int8_linear_kernel.h"

namespace ks {

// `L` finishes the sums.
template <typename L>
struct Int8LinearAvx2 : private KernelParts<L> {
  using KernelParts<L>::kLanes;
  static constexpr int kRows = 4;  // of a tile: its sums, with what a step needs, fill 14 of 16 registers
  // Rows that stay in the second-level cache while all of the weights pass by, where the prepared bytes have room.
  static constexpr int kRowBlock = 64;
  static constexpr int kPreparedBytes = 2 * 65536;  // 64 rows of 1,024 inputs, two of the most
  static constexpr int kStep = 16;                  // inputs that are prepared at once

  static void Run(const Int8LinearArgs& a) {
    const int inputs = Padded(a.weights.inputs, kInt8Inputs);
    const int stride = 2 * Padded(inputs, kStep);
    const int room = kPreparedBytes / stride;
    const int block = room >= kRowBlock ? kRowBlock : room >= kRows ? room / kRows * kRows : room;

    alignas(64) unsigned char prepared[kPreparedBytes];
    int starts[kRowBlock], zero_points[kRowBlock];
    for (int first = 0; first < a.rows; first += block) {
      const Int8LinearArgs part =
          Int8LinearKernel<L>::RowsFrom(a, first, Least(a.rows - first, block), 128, zero_points);
      for (int r = 0; r < part.rows; ++r) {
        starts[r] = Prepare(part.q + r * a.q_stride, inputs, prepared + r * stride);
      }
      Panels(part, {prepared, stride, starts}, inputs);
    }
  }

 private:
  using KernelParts<L>::Least;
  using KernelParts<L>::Padded;

  struct Rows {
    const unsigned char* prepared;  // Prepare's bytes, rows `stride` apart
    int stride;
    const int* starts;  // Prepare's sums

    Rows From(int row) const { return {prepared + row * stride, stride, starts + row}; }
  };

  struct Weights {
    int output;  // the first of 16
    const signed char* packed;
    const signed char* next;  // read after these
    int inputs;
  };

  // Writes |s| and m of four inputs after each other, s = 0 from `inputs` up to a whole kStep. Returns the sum of |s|
  // over the negative s.
  static int Prepare(const unsigned char* q, int inputs, unsigned char* prepared) {
    const __m128i zero = _mm_setzero_si128();
    const __m128i middle = _mm_set1_epi8(-128);
    __m128i sums = zero;
    for (int k = 0; k < inputs; k += kStep) {
      __m128i bytes = middle;
      __builtin_memcpy(&bytes, q + k, static_cast<unsigned long>(inputs - k < kStep ? inputs - k : kStep));
      const __m128i s = _mm_xor_si128(bytes, middle);
      const __m128i absolute = _mm_abs_epi8(s);
      const __m128i negative = _mm_cmpgt_epi8(zero, s);
      sums = _mm_add_epi64(sums, _mm_sad_epu8(_mm_and_si128(absolute, negative), zero));
      __m128i* const out = reinterpret_cast<__m128i*>(prepared + 2 * k);
      _mm_store_si128(out, _mm_unpacklo_epi32(absolute, negative));
      _mm_store_si128(out + 1, _mm_unpackhi_epi32(absolute, negative));
    }
    return _mm_cvtsi128_si32(_mm_add_epi64(sums, _mm_unpackhi_epi64(sums, sums)));
  }

  static void Panels(const Int8LinearArgs& a, const Rows& rows, int inputs) {
    const unsigned long bytes = static_cast<unsigned long>(inputs) * kLanes;
    const signed char* packed = a.weights.packed;
    for (int output = 0; output < a.weights.outputs; output += kLanes) {
      const signed char* const next = output + kLanes < a.weights.outputs ? packed + bytes : packed;
      const Weights w = {output, packed, next, inputs};
      int row = 0;
      for (; row + kRows <= a.rows; row += kRows) Tile<kRows>(a, row, rows.From(row), w);
      LastTile<kRows - 1>(a, row, rows.From(row), w);
      packed = next;
    }
  }

  // The tile of the rows from `row` on, at most R.
  template <int R>
  static void LastTile(const Int8LinearArgs& a, int row, const Rows& rows, const Weights& w) {
    if constexpr (R > 0) {
      if (a.rows - row == R) {
        Tile<R>(a, row, rows, w);
      } else {
        LastTile<R - 1>(a, row, rows, w);
      }
    }
  }

  template <int R>
  static void Tile(const Int8LinearArgs& a, int row, const Rows& rows, const Weights& w) {
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i low[R], high[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) low[r] = high[r] = _mm256_set1_epi32(rows.starts[r]);
#pragma GCC unroll 2
    for (int k = 0; k < w.inputs; k += kInt8Inputs) {
      const __m256i* const line = reinterpret_cast<const __m256i*>(w.packed + k * kLanes);
      const __m256i w_low = _mm256_loadu_si256(line);
      const __m256i w_high = _mm256_loadu_si256(line + 1);
      _mm_prefetch(reinterpret_cast<const char*>(w.next + k * kLanes), _MM_HINT_T0);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        const unsigned char* const four = rows.prepared + r * rows.stride + 2 * k;
        const __m256i absolute = Broadcast(four);
        const __m256i negative = Broadcast(four + kInt8Inputs);
        low[r] = Add(low[r], absolute, _mm256_xor_si256(w_low, negative), ones);
        high[r] = Add(high[r], absolute, _mm256_xor_si256(w_high, negative), ones);
      }
    }
    alignas(64) int sums[R * kLanes];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) L::StoreInts(sums + r * kLanes, {low[r], high[r]});
    Int8LinearKernel<L>::Finish(a, row, R, w.output, 1, sums);
  }

  static __m256i Broadcast(const unsigned char* four) {
    int bits;
    __builtin_memcpy(&bits, four, sizeof(bits));
    return _mm256_set1_epi32(bits);
  }

  static __m256i Add(__m256i sum, __m256i absolute, __m256i w, __m256i ones) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(absolute, w), ones));
  }
};

}  // namespace ks
