// Attention over bytes for 16 lanes.
//
// As in attention_kernel.h the lanes are queries, with scores transposed, [tokens][queries], and in the second product a
// head's columns. An integer product takes kDeep neighbours of the summed dimension at once, which lie side by side in a
// lane: numbers of a head for the scores, tokens for the results. Lanes say how deep that is and how wide its numbers are:
// four bytes with vpdpbusd, two 16-bit numbers without. The integers are the same, and so are all bits.
//
// One side of vpdpbusd has no sign. For the scores that is the keys (128 is added to them, and 128 times the sum of its
// bytes taken from each query at the start), for the results the weights.
#pragma once

#include "kernels/int8_attention.h"
#include "kernels/kernel_parts.h"
#include "kernels/lanes_math.h"
#include "kernels/lanes_wide.h"

namespace ks {

template <typename L>
struct Int8AttentionKernel : private KernelParts<L> {
  using F = typename L::F;
  using I = typename L::I;
  static constexpr int kDeep = L::kDeep;
  using KernelParts<L>::kLanes;
  static constexpr int kRows = kInt8AttentionRows;
  static constexpr int kDeepBytes = 4 / kDeep;  // of one number

  static void Run(const Int8AttentionArgs& a) {
    const unsigned long tokens = Padded(a.tokens, kLanes);
    const unsigned long columns = Padded(a.head_size, kLanes);
    Sequence s;
    s.logs = a.scratch;
    s.inverses = s.logs + tokens;
    float* const keys = s.inverses + tokens;
    float* const values = keys + tokens * columns / 2;
    s.scores = values + tokens * columns / 2;
    s.weights = reinterpret_cast<int*>(s.scores + tokens * kRows);
    s.columns = reinterpret_cast<float*>(s.weights + tokens * kRows / 2);
    s.queries = reinterpret_cast<int*>(s.columns + columns * kRows);
    s.value_stride = static_cast<int>(columns);

    for (int t = 0; t < a.tokens; t += kLanes) {
      const int n = Least(a.tokens - t, kLanes);
      const F scales = n == kLanes ? L::Load(a.values.scales + t) : L::LoadFirst(a.values.scales + t, n);
      L::Store(s.logs + t, LanesMath<L>::Log2(scales));
      L::Store(s.inverses + t, L::Div(L::Set(1.0f), scales));
    }
    s.keys = DeepKeys(a, reinterpret_cast<unsigned char*>(keys));
    s.values = reinterpret_cast<int*>(values);
    DeepValues(a, s);

    for (int row = 0; row < a.rows; row += kRows) {
      if (a.rows - row > kLanes) {
        Block<2>(a, s, row);
      } else {
        Block<1>(a, s, row);
      }
    }
  }

 private:
  using KernelParts<L>::FetchNextHead;
  using KernelParts<L>::ForEachTile;
  using KernelParts<L>::Least;
  using KernelParts<L>::Padded;

  // What all blocks of queries share, and their scratch. A `group` is kDeep tokens, or kDeep numbers of a head.
  struct Sequence {
    float* logs;                // [tokens] log2 of the values' scales
    float* inverses;            // [tokens] 1 / those scales
    const unsigned char* keys;  // [tokens][head_size], kDeepBytes each
    int* values;                // [groups of tokens][value_stride]
    int value_stride;
    float* scores;   // [tokens][queries]
    int* weights;    // [groups of tokens][queries]
    float* columns;  // [head_size][queries], the queries
    int* queries;    // [groups of numbers][queries]
  };

  // --- Keys and values as the products take them ---

  // The keys as they lie, or widened to `wide`.
  static const unsigned char* DeepKeys(const Int8AttentionArgs& a, unsigned char* wide) {
    if constexpr (kDeepBytes == 1) {
      return a.keys.q;
    } else {
      const long count = a.tokens * RowBytes(a.head_size);
      for (long i = 0; i < count; i += kLanes) {
        L::WidenBytes(reinterpret_cast<short*>(wide) + i, a.keys.q + i, count - i < kLanes ? count - i : kLanes);
      }
      return wide;
    }
  }

  // Each column's numbers of kDeep tokens side by side; tokens that are none become zeros.
  static void DeepValues(const Int8AttentionArgs& a, const Sequence& s) {
    const long stride = RowBytes(a.head_size);
    const unsigned char* q = a.values.q;
    int* out = s.values;
    int t = 0;
    for (; t + kDeep <= a.tokens; t += kDeep) {
      KernelParts<L>::ForEach(a.head_size,
                              [=](int c, int n) { L::StoreInts(out + c, Joined(q + c, stride, kDeep, n)); });
      q += kDeep * stride;
      out += s.value_stride;
    }
    if (t == a.tokens) return;
    KernelParts<L>::ForEach(a.head_size,
                            [=](int c, int n) { L::StoreInts(out + c, Joined(q + c, stride, a.tokens - t, n)); });
  }

  // `columns` numbers of `tokens` rows, kDeep at most.
  [[gnu::always_inline]] static I Joined(const unsigned char* q, long stride, int tokens, int columns) {
    I of_token[kDeep];
#pragma GCC unroll 4
    for (int i = 0; i < kDeep; ++i) {
      of_token[i] = i < tokens ? L::LoadBytes(q + i * stride, columns, -128) : L::ZeroInts();
    }
    return Join(of_token);
  }

  // kDeep numbers of at most 8 bits, or with two of them 16, side by side in each lane.
  static I Join(const I* numbers) {
    if constexpr (kDeep == 2) {
      return L::JoinTwo(numbers[0], numbers[1]);
    } else {
      return L::JoinFour(numbers[0], numbers[1], numbers[2], numbers[3]);
    }
  }

  // --- Blocks of queries ---

  // M registers of queries.
  template <int M>
  static void Block(const Int8AttentionArgs& a, const Sequence& s, int row) {
    constexpr int kStride = M * kLanes;
    const int rows = Least(a.rows - row, kStride);
    const float* q = a.q + row * a.q_stride;
    F factors[M];
    I starts[M];
    for (int m = 0; m < M; ++m) {
      const int some = Least(rows - m * kLanes, kLanes);
      for (int c = 0; c < a.head_size; c += kLanes) {
        L::TransposeScaled(q + m * kLanes * a.q_stride + c, a.q_stride, some, Least(a.head_size - c, kLanes), 1.0f,
                           s.columns + c * kStride + m * kLanes, kStride);
      }
      factors[m] = QuantizeQueries<kStride>(s.columns + m * kLanes, a.head_size, s.queries + m * kLanes, &starts[m]);
    }
    for (int r = 0; r < rows; ++r) FetchNextHead(q + r * a.q_stride, a.head_size);

    F highest[M];
    for (int m = 0; m < M; ++m) highest[m] = L::Set(-__builtin_inff());
    int token = 0;
    for (; token + L::kKeyTile <= a.tokens; token += L::kKeyTile)
      Scores<M, L::kKeyTile>(a, s, token, factors, starts, highest);
    for (; token + L::kKeySmall <= a.tokens; token += L::kKeySmall)
      Scores<M, L::kKeySmall>(a, s, token, factors, starts, highest);
    for (; token < a.tokens; ++token) Scores<M, 1>(a, s, token, factors, starts, highest);

    alignas(64) float inverses[kStride];
    for (int m = 0; m < M; ++m) L::Store(inverses + m * kLanes, Weigh<kStride>(a, s, m * kLanes, highest[m]));

    float* const out = a.out + row * a.out_stride;
    ForEachTile(rows, a.head_size, [&]<int R, int C>(int first, int some, int column, int last) {
      RowTile<kStride, R, C>(a, s, first, some, column, last, inverses, out);
    });
  }

  // From columns [head_size][kStride] of one register's queries to bytes. Returns what a product of bytes and a key's
  // scale are to be multiplied by, and in `start` -128 times the sum of a query's bytes.
  template <int kStride>
  static F QuantizeQueries(const float* columns, int count, int* queries, I* start) {
    F top = L::Zero();  // a NaN stays
    for (int c = 0; c < count; ++c) top = L::TotalMax(top, L::Abs(L::Load(columns + c * kStride)));
    const F smallest = L::Set(0x1p-100f);  // below, 127 / top would overflow
    const F inverse = L::SelectLess(smallest, top, L::Div(L::Set(127.0f), top), L::Zero());
    I sum = L::ZeroInts();
    for (int c = 0; c < count; c += kDeep) {
      I numbers[kDeep];
#pragma GCC unroll 4
      for (int i = 0; i < kDeep; ++i) {
        numbers[i] =
            c + i < count ? L::RoundToInts(L::Mul(L::Load(columns + (c + i) * kStride), inverse)) : L::ZeroInts();
        sum = L::AddInts(sum, numbers[i]);
      }
      L::StoreInts(queries + c / kDeep * kStride, Join(numbers));
    }
    *start = L::MulInts(sum, L::SetInts(-128));
    const F mark = L::Sub(top, top);  // of a NaN and an infinity NaN
    const F scale = L::Add(L::Div(top, L::Set(127.0f)), mark);
    constexpr float kLog2E = 0x1.715476p+0f;
    return L::Mul(scale, L::Set(kLog2E / RootOf(count)));
  }

  // scores[token + n] for n < N, as far as registers go M at a time; raises `highest`.
  template <int M, int N>
  static void Scores(const Int8AttentionArgs& a, const Sequence& s, int token, const F* factors, const I* starts,
                     F* highest) {
    constexpr int kStep = M < L::kQueryVectors ? M : L::kQueryVectors;
    for (int m = 0; m < M; m += kStep) {
      ScoreTile<M * kLanes, kStep, N>(a, s, token, m * kLanes, factors + m, starts + m, highest + m);
    }
  }

  template <int kStride, int M, int N>
  static void ScoreTile(const Int8AttentionArgs& a, const Sequence& s, int token, int lane, const F* factors,
                        const I* starts, F* highest) {
    const long key_stride = RowBytes(a.head_size) * kDeepBytes;
    // Keys in fours, as the rows of int8_linear_kernel.h.
    const unsigned char* fours[(N + 3) / 4];
    for (int n = 0; n < N; n += 4) fours[n / 4] = s.keys + (token + n) * key_stride;
    const int* queries = s.queries + lane;
    // With every index known, or the sums would live in memory all along.
    I sums[N][M];
#pragma GCC unroll 16
    for (int n = 0; n < N; ++n) {
      for (int m = 0; m < M; ++m) sums[n][m] = starts[m];
    }
    const int groups = (a.head_size + kDeep - 1) / kDeep;
    for (int g = 0; g < groups; ++g) {
      I q[M];
      for (int m = 0; m < M; ++m) q[m] = L::LoadInts(queries + g * kStride + m * kLanes);
#pragma GCC unroll 16
      for (int n = 0; n < N; ++n) {
        const I key = L::SetInts(Group(fours[n / 4] + n % 4 * key_stride + 4 * g));
        for (int m = 0; m < M; ++m) sums[n][m] = L::DotDeep(sums[n][m], key, q[m]);
      }
    }
    float* out = s.scores + static_cast<long>(token) * kStride + lane;
#pragma GCC unroll 16
    for (int n = 0; n < N; ++n) {
      const F scale = L::Set(a.keys.scales[token + n]);
      const F log = L::Set(s.logs[token + n]);
#pragma GCC unroll 2
      for (int m = 0; m < M; ++m) {
        const F score = L::Fma(L::ToFloats(sums[n][m]), L::Mul(factors[m], scale), log);
        highest[m] = L::Max(highest[m], score);
        L::Store(out + n * kStride + m * kLanes, score);
      }
    }
  }

  // The weights of one register of queries from their scores. Returns 1 / the denominators: four running sums (token
  // mod 4), then (0 + 1) + (2 + 3).
  template <int kStride>
  static F Weigh(const Int8AttentionArgs& a, const Sequence& s, int lane, F highest) {
    F running[4] = {L::Zero(), L::Zero(), L::Zero(), L::Zero()};
    const float* scores = s.scores + lane;
    int* out = s.weights + lane;
    int token = 0;
    for (; token + 4 <= a.tokens; token += 4) {
      I weights[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; i += L::kWide) {
        Powers<kStride, L::kWide>(scores + i * kStride, s.inverses + token + i, highest, running + i, weights + i);
      }
#pragma GCC unroll 2
      for (int i = 0; i < 4; i += kDeep) L::StoreInts(out + i / kDeep * kStride, Join(weights + i));
      scores += 4 * kStride;
      out += 4 / kDeep * kStride;
    }
    if (token < a.tokens) {
      I weights[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        weights[i] = L::ZeroInts();
        if (token + i < a.tokens) {
          Powers<kStride, 1>(scores + i * kStride, s.inverses + token + i, highest, running + i, weights + i);
        }
      }
#pragma GCC unroll 2
      for (int i = 0; i < 4; i += kDeep) {
        if (token + i < a.tokens) L::StoreInts(out + i / kDeep * kStride, Join(weights + i));
      }
    }
    return L::Div(L::Set(1.0f), L::Add(L::Add(running[0], running[1]), L::Add(running[2], running[3])));
  }

  // N tokens' weights, each added to one sum.
  template <int kStride, int N>
  static void Powers(const float* scores, const float* inverses, F highest, F* sums, I* weights) {
    using Wide = WideLanes<L, N>;
    typename Wide::F x;
#pragma GCC unroll 4
    for (int i = 0; i < N; ++i) x.v[i] = L::Sub(L::Load(scores + i * kStride), highest);
    x = LanesMath<Wide>::Power255(x);
#pragma GCC unroll 4
    for (int i = 0; i < N; ++i) {
      sums[i] = L::Fma(x.v[i], L::Set(inverses[i]), sums[i]);
      weights[i] = L::RoundToInts(x.v[i]);
    }
  }

  // R rows of the block from `row` on, of which the first `rows` are stored, in C registers of columns from `column`; the
  // last has `last` of them. `inverses` and `out` begin with the block.
  template <int kStride, int R, int C>
  static void RowTile(const Int8AttentionArgs& a, const Sequence& s, int row, int rows, int column, int last,
                      const float* inverses, float* out) {
    I sums[R][C];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      for (int c = 0; c < C; ++c) sums[r][c] = L::ZeroInts();
    }
    const int* weights = s.weights + row;
    const int* values = s.values + column;
    const auto step = [&] {
      I v[C];
      for (int c = 0; c < C; ++c) v[c] = L::LoadInts(values + c * kLanes);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        const I weight = L::SetInts(weights[r]);
        for (int c = 0; c < C; ++c) sums[r][c] = L::DotDeep(sums[r][c], weight, v[c]);
      }
      weights += kStride;
      values += s.value_stride;
    };
    if constexpr (L::kValueSteps == 2) {
#pragma GCC unroll 2
      for (int t = 0; t < a.tokens; t += kDeep) step();
    } else {
      for (int t = 0; t < a.tokens; t += kDeep) step();
    }
    // Up to R and not up to `rows`: every index known, or the sums would live in memory all along.
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      if (r >= rows) break;
      const F inverse = L::Set(inverses[row + r]);
      float* to = out + (row + r) * a.out_stride + column;
#pragma GCC unroll 2
      for (int c = 0; c < C; ++c) L::StoreFirst(to + c * kLanes, L::Mul(L::ToFloats(sums[r][c]), inverse), last);
    }
  }

  static int Group(const unsigned char* p) {
    int bits;
    __builtin_memcpy(&bits, p, sizeof(bits));
    return bits;
  }

  static float RootOf(int n) { return L::Sqrt(static_cast<float>(n)); }
  // HeadRowBytes, which may not come from its header (lanes_scalar.h).
  static long RowBytes(int head_size) { return Padded(head_size, kInt8Inputs); }
};

}  // namespace ks
