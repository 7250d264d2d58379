// One block of attention over 16 lanes.
//
// The lanes are queries: scores are kept transposed, [tokens][queries], so that maximum and sum of the softmax are
// taken lane by lane with nothing to add up across, and a short last block costs one register instead of two. Keys and
// values are read where they lie (each key's numbers are broadcast); only the block's own queries are transposed. In
// the second product the lanes are the head's columns and the probabilities are broadcast.
#pragma once

#include "kernels/attention.h"
#include "kernels/kernel_parts.h"
#include "kernels/lanes_math.h"
#include "kernels/lanes_wide.h"

namespace ks {

template <typename L>
struct AttentionKernel : private KernelParts<L> {
  using F = typename L::F;

  static void Run(const AttentionBlock& b) {
    if (b.rows > kLanes) {
      Block<2>(b);
    } else {
      Block<1>(b);
    }
  }

 private:
  using KernelParts<L>::Columns;
  using KernelParts<L>::FetchNextHead;
  using KernelParts<L>::ForEachTile;
  using KernelParts<L>::Least;
  using KernelParts<L>::kLanes;

  // M registers of queries.
  template <int M>
  static void Block(const AttentionBlock& b) {
    constexpr int kStride = M * kLanes;
    float* scores = b.scratch;                                                 // [tokens][kStride]
    float* queries = scores + static_cast<unsigned long>(b.tokens) * kStride;  // [head_size][kStride]
    for (int m = 0; m < M; ++m) {
      const int rows = b.rows - m * kLanes;
      for (int c = 0; c < b.head_size; c += kLanes) {
        L::TransposeScaled(b.q + static_cast<unsigned long>(m) * kLanes * b.row_stride + c, b.row_stride,
                           Least(rows, kLanes), Least(b.head_size - c, kLanes), b.scale,
                           queries + c * kStride + m * kLanes, kStride);
      }
    }

    for (int r = 0; r < b.rows; ++r) FetchNextHead(b.q + r * b.row_stride, b.head_size);

    F highest[M];
    for (int m = 0; m < M; ++m) highest[m] = L::Set(-__builtin_inff());
    int token = 0;
    for (; token + L::kKeyTile <= b.tokens; token += L::kKeyTile)
      Scores<M, L::kKeyTile>(b, token, queries, scores, highest);
    for (; token + L::kKeySmall <= b.tokens; token += L::kKeySmall)
      Scores<M, L::kKeySmall>(b, token, queries, scores, highest);
    for (; token < b.tokens; ++token) Scores<M, 1>(b, token, queries, scores, highest);

    alignas(64) float sums[kStride];
    Softmax<M>(scores, b.tokens, highest, sums);

    ForEachTile(b.rows, b.head_size, [&]<int R, int C>(int row, int rows, int column, int last) {
      RowTile<M, R, C>(b, row, rows, column, last, scores, sums);
    });
  }

  // scores[token + n] = q k^T for n < N, as far as registers go M at a time; raises `highest`.
  template <int M, int N>
  static void Scores(const AttentionBlock& b, int token, const float* queries, float* scores, F* highest) {
    // Not for a short block behind others of its sequence, which have asked already.
    const int asked = M * kLanes == kAttentionRows || b.tokens <= kAttentionRows ? N : 0;
    for (int n = 0; n < asked; ++n) {
      FetchNextHead(b.k + static_cast<unsigned long>(token + n) * b.row_stride, b.head_size);
      FetchNextHead(b.v + static_cast<unsigned long>(token + n) * b.row_stride, b.head_size);
    }
    constexpr int kStep = M < L::kQueryVectors ? M : L::kQueryVectors;
    for (int m = 0; m < M; m += kStep) {
      ScoreTile<M * kLanes, kStep, N>(b, token, queries + m * kLanes, scores + m * kLanes, highest + m);
    }
  }

  template <int kStride, int M, int N>
  static void ScoreTile(const AttentionBlock& b, int token, const float* queries, float* scores, F* highest) {
    const float* keys = b.k + static_cast<unsigned long>(token) * b.row_stride;
    F sums[N][M];
    for (int n = 0; n < N; ++n) {
      for (int m = 0; m < M; ++m) sums[n][m] = L::Zero();
    }
    for (int c = 0; c < b.head_size; ++c) {
      F q[M];
      for (int m = 0; m < M; ++m) q[m] = L::Load(queries + c * kStride + m * kLanes);
      for (int n = 0; n < N; ++n) {
        const F key = L::Set(keys[n * b.row_stride + c]);
        for (int m = 0; m < M; ++m) sums[n][m] = L::Fma(key, q[m], sums[n][m]);
      }
    }
    float* out = scores + static_cast<unsigned long>(token) * kStride;
    for (int n = 0; n < N; ++n) {
      for (int m = 0; m < M; ++m) {
        highest[m] = L::Max(highest[m], sums[n][m]);
        L::Store(out + n * kStride + m * kLanes, sums[n][m]);
      }
    }
  }

  // scores = exp(scores - highest) in place, and their sums over the tokens: four running sums (token mod 4), then
  // (0 + 1) + (2 + 3).
  template <int M>
  static void Softmax(float* scores, int tokens, const F* highest, float* sums) {
    for (int m = 0; m < M; ++m) {
      F running[4] = {L::Zero(), L::Zero(), L::Zero(), L::Zero()};
      float* p = scores + m * kLanes;
      // Every index of `running` known: an array that is read by a running one lives in memory.
      int token = 0;
      for (; token + 4 <= tokens; token += 4) {
#pragma GCC unroll 4
        for (int i = 0; i < 4; i += L::kWide) Exponentials<M, L::kWide>(p + i * M * kLanes, highest[m], running + i);
        p += 4 * M * kLanes;
      }
#pragma GCC unroll 3
      for (int i = 0; i < 3; ++i) {
        if (token + i < tokens) Exponentials<M, 1>(p + i * M * kLanes, highest[m], running + i);
      }
      L::Store(sums + m * kLanes, L::Add(L::Add(running[0], running[1]), L::Add(running[2], running[3])));
    }
  }

  // N tokens' scores from p on become exp(score - highest), and are added to one sum each.
  template <int M, int N>
  static void Exponentials(float* p, F highest, F* sums) {
    using Wide = WideLanes<L, N>;
    typename Wide::F x;
#pragma GCC unroll 4
    for (int i = 0; i < N; ++i) x.v[i] = L::Sub(L::Load(p + i * M * kLanes), highest);
    x = LanesMath<Wide>::Exp(x);
#pragma GCC unroll 4
    for (int i = 0; i < N; ++i) {
      L::Store(p + i * M * kLanes, x.v[i]);
      sums[i] = L::Add(sums[i], x.v[i]);
    }
  }

  // out[row + r] = scores^T v / sums for r < R, of which the first `rows` are stored, in C registers of columns from
  // `column`; the last has `last` of them.
  template <int M, int R, int C>
  static void RowTile(const AttentionBlock& b, int row, int rows, int column, int last, const float* scores,
                      const float* sums) {
    F out[R][C];
    for (int r = 0; r < R; ++r) {
      for (int c = 0; c < C; ++c) out[r][c] = L::Zero();
    }
    const float* values = b.v + column;
    const float* p = scores + row;
    for (int token = 0; token < b.tokens; ++token) {
      F v[C];
      for (int c = 0; c < C; ++c) v[c] = Columns(values + c * kLanes, last);
      for (int r = 0; r < R; ++r) {
        const F weight = L::Set(p[r]);
        for (int c = 0; c < C; ++c) out[r][c] = L::Fma(weight, v[c], out[r][c]);
      }
      values += b.row_stride;
      p += M * kLanes;
    }
    // Up to R and not up to `rows`: every index known, as in Softmax.
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      if (r >= rows) break;
      float* to = b.out + static_cast<unsigned long>(row + r) * b.out_stride + column;
      const F sum = L::Set(sums[row + r]);
#pragma GCC unroll 2
      for (int c = 0; c < C; ++c) L::StoreFirst(to + c * kLanes, L::Div(out[r][c], sum), last);
    }
  }
};

}  // namespace ks
