#include "kernels/int8_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/isa_test.h"

namespace ks {
namespace {

constexpr float kUntouched = -777.0f;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Keys or values of some heads, quantised.
struct Heads {
  Heads(const KernelTable& kernels, const std::vector<float>& x, size_t stride, int rows, int heads, int head_size)
      : rows_(rows), row_bytes_(HeadRowBytes(head_size)), q(heads * rows * row_bytes_), scales(heads * size_t(rows)) {
    kernels.quantize_heads({.x = x.data(),
                            .x_stride = stride,
                            .q = q.data(),
                            .head_bytes = rows * row_bytes_,
                            .scales = scales.data(),
                            .head_scales = size_t(rows),
                            .rows = rows,
                            .heads = heads,
                            .head_size = head_size});
  }

  HeadBytes Of(int head) const { return {q.data() + head * rows_ * row_bytes_, scales.data() + head * rows_}; }

 private:
  int rows_;
  size_t row_bytes_;

 public:
  std::vector<uint8_t> q;
  std::vector<float> scales;
};

// One head of one sequence.
struct Head {
  Head(int tokens_in, int head_size_in, uint64_t seed, float size = 2.0f) : tokens(tokens_in), head_size(head_size_in) {
    Random random(seed);
    const size_t count = static_cast<size_t>(tokens) * head_size;
    q = random.Floats(count, size);
    k = random.Floats(count, size);
    v = random.Floats(count, size);
    // Values of unlike sizes, as those of tokens that are looked at for want of others.
    for (int t = 0; t < tokens; t += 5) {
      for (int c = 0; c < head_size; ++c) v[t * head_size + c] *= 0.01f;
    }
  }

  // `rows` queries from the first on, `at_once` with each call.
  std::vector<float> Run(const KernelTable& kernels, int rows, int at_once = std::numeric_limits<int>::max()) const {
    const size_t stride = static_cast<size_t>(head_size);
    const Heads keys(kernels, k, stride, tokens, 1, head_size);
    const Heads values(kernels, v, stride, tokens, 1, head_size);
    std::vector<float> out(static_cast<size_t>(rows) * stride, kUntouched);
    std::vector<float> room(Int8AttentionScratch(tokens, head_size) + 16, kNaN);
    float* const scratch = room.data() + (64 - reinterpret_cast<uintptr_t>(room.data()) % 64) / sizeof(float);
    for (int row = 0; row < rows; row += std::min(at_once, rows)) {
      kernels.int8_attention({.q = q.data() + row * stride,
                              .q_stride = stride,
                              .keys = keys.Of(0),
                              .values = values.Of(0),
                              .rows = std::min(at_once, rows - row),
                              .tokens = tokens,
                              .head_size = head_size,
                              .out = out.data() + row * stride,
                              .out_stride = stride,
                              .scratch = scratch});
    }
    return out;
  }
  std::vector<float> Run(const KernelTable& kernels) const { return Run(kernels, tokens); }

  int tokens, head_size;
  std::vector<float> q, k, v;
};

std::vector<int> Rounded(const float* x, int n, double scale) {
  std::vector<int> q(n);
  if (scale == 0) return q;
  for (int c = 0; c < n; ++c) q[c] = static_cast<int>(std::nearbyint(x[c] * (1 / scale)));
  return q;
}

double Top(const float* x, int n) {
  double top = 0;
  for (int c = 0; c < n; ++c) top = std::max(top, std::abs(double{x[c]}));
  return top;
}

// int8_attention.h's definition in double precision, or attention as it is without bytes.
std::vector<double> Definition(const Head& head, bool bytes) {
  const int d = head.head_size;
  const auto row = [&](const std::vector<float>& x, int t) { return x.data() + t * d; };
  std::vector<double> out;
  for (int r = 0; r < head.tokens; ++r) {
    std::vector<double> x, value_scales;
    const double query_scale = Top(row(head.q, r), d) / 127;
    for (int t = 0; t < head.tokens; ++t) {
      const double key_scale = Top(row(head.k, t), d) / 127;
      const std::vector<int> q = Rounded(row(head.q, r), d, query_scale), k = Rounded(row(head.k, t), d, key_scale);
      double dot = 0;
      for (int c = 0; c < d; ++c) {
        dot += bytes ? query_scale * key_scale * q[c] * k[c] : double{row(head.q, r)[c]} * row(head.k, t)[c];
      }
      value_scales.push_back(bytes ? Top(row(head.v, t), d) / 127 : 1);
      x.push_back(dot / std::sqrt(double(d)) / std::log(2.0) + std::log2(value_scales.back()));
    }
    const double highest = *std::max_element(x.begin(), x.end());
    std::vector<double> sums(d);
    double denominator = 0;
    for (int t = 0; t < head.tokens; ++t) {
      const double w = 255 * std::exp2(x[t] - highest);
      denominator += w / value_scales[t];
      const std::vector<int> v = Rounded(row(head.v, t), d, value_scales[t]);
      for (int c = 0; c < d; ++c) sums[c] += bytes ? std::nearbyint(w) * v[c] : w * row(head.v, t)[c];
    }
    for (double sum : sums) out.push_back(sum / denominator);
  }
  return out;
}

struct Errors {
  double worst = 0, mean = 0;
};

Errors Between(const std::vector<float>& out, const std::vector<double>& expected) {
  Errors errors;
  for (size_t i = 0; i < out.size(); ++i) {
    const double error = std::abs(out[i] - expected[i]);
    errors.worst = std::max(errors.worst, error);
    errors.mean += error / static_cast<double>(out.size());
  }
  return errors;
}

class Int8Attention : public TableTest {};
INSTANTIATE_TEST_SUITE_P(Isas, Int8Attention, testing::ValuesIn(TestedTables()), TableTestName);

TEST_P(Int8Attention, QuantisesEachRowAndHead) {
  const int heads = 3;
  for (const int head_size : {22, 32, 64}) {
    for (const int rows : {5, 15, 16, 17, 35}) {
      const size_t stride = static_cast<size_t>(heads * head_size) + 14;
      const std::vector<float> x = Random(1).Floats(rows * stride, 3.0f);
      const Heads found(kernels(), x, stride, rows, heads, head_size);
      for (int head = 0; head < heads; ++head) {
        for (int row = 0; row < rows; ++row) {
          SCOPED_TRACE(testing::Message() << head_size << ", head " << head << ", row " << row << " of " << rows);
          const float* numbers = x.data() + row * stride + head * head_size;
          const uint8_t* bytes = found.Of(head).q + row * HeadRowBytes(head_size);
          const float scale = found.Of(head).scales[row];
          EXPECT_EQ(scale, static_cast<float>(Top(numbers, head_size)) / 127.0f);
          for (int c = 0; c < head_size; ++c) {
            EXPECT_EQ(bytes[c], 128 + static_cast<int>(std::nearbyint(numbers[c] * (1.0f / scale)))) << c;
          }
          for (size_t c = head_size; c < HeadRowBytes(head_size); ++c) EXPECT_EQ(bytes[c], 128) << "padding";
        }
      }
    }
  }
}

// Four such rows alone, and among others that are taken together.
TEST_P(Int8Attention, QuantisesSmallRowsToZerosAndMarksWhatIsNoNumber) {
  for (const int head_size : {4, 32, 64}) {
    for (const int rows : {4, 16, 23}) {
      SCOPED_TRACE(testing::Message() << head_size << ", " << rows << " rows");
      const size_t width = static_cast<size_t>(head_size);
      std::vector<float> x(rows * width, 1.0f);
      std::fill_n(x.begin(), width, 0.0f);
      x[0] = 1e-30f;
      x[1] = -1e-30f;
      x[width] = kNaN;
      x[3 * width - 1] = -kInfinity;
      std::fill_n(x.begin() + 3 * width, width, 0.0f);
      const Heads found(kernels(), x, width, rows, 1, head_size);
      EXPECT_EQ(found.scales[0], kHeadSmallestScale);
      EXPECT_TRUE(std::all_of(found.q.begin(), found.q.begin() + width, [](uint8_t q) { return q == 128; }));
      EXPECT_TRUE(std::isnan(found.scales[1]));
      EXPECT_TRUE(std::isnan(found.scales[2]));
      EXPECT_EQ(found.scales[3], kHeadSmallestScale);
      for (int row = 4; row < rows; ++row) EXPECT_EQ(found.scales[row], 1.0f / 127.0f) << row;
    }
  }
}

TEST_P(Int8Attention, FollowsTheDefinition) {
  for (const int head_size : {1, 6, 8, 16, 20, 24, 32, 48, 64, 80}) {
    for (const int tokens : {1, 2, 3, 15, 16, 17, 31, 33, 70}) {
      const Head head(tokens, head_size, 2);
      const Errors errors = Between(head.Run(kernels()), Definition(head, /*bytes=*/true));
      // A weight near the middle of two steps may fall to the other one.
      EXPECT_LT(errors.worst, 2.0 / 127) << tokens << " tokens, head size " << head_size;
      EXPECT_LT(errors.mean, 3e-4) << tokens << " tokens, head size " << head_size;
    }
  }
}

TEST_P(Int8Attention, IsNearAttentionWithoutBytes) {
  for (const int tokens : {20, 256, 512}) {
    const Head head(tokens, 32, 3);
    const Errors errors = Between(head.Run(kernels()), Definition(head, /*bytes=*/false));
    EXPECT_LT(errors.worst, 0.06) << tokens;
    EXPECT_LT(errors.mean, 0.006) << tokens;
  }
}

TEST_P(Int8Attention, GivesTheBitsOfTheScalarKernel) {
  for (const int head_size : {1, 7, 8, 20, 32, 64, 100}) {
    for (const int tokens : {1, 4, 18, 32, 45, 70, 131}) {
      const Head head(tokens, head_size, 4);
      EXPECT_EQ(DifferentBits(head.Run(kernels()), head.Run(reference())), 0u)
          << tokens << " tokens, head size " << head_size;
    }
  }
}

TEST_P(Int8Attention, GivesEachQueryItsBitsWhateverComesWithIt) {
  const Head head(83, 32, 5);
  const std::vector<float> together = head.Run(kernels());
  for (const int at_once : {1, 5, 16, 17, 33}) {
    EXPECT_EQ(DifferentBits(head.Run(kernels(), head.tokens, at_once), together), 0u) << at_once;
  }
}

// Sharp attention, where all weights but one are far below a byte's step.
TEST_P(Int8Attention, TakesLargeScores) {
  const Head head(40, 32, 6, /*size=*/100.0f);
  const std::vector<float> out = head.Run(kernels());
  EXPECT_TRUE(std::all_of(out.begin(), out.end(), [](float x) { return std::isfinite(x); }));
  EXPECT_EQ(DifferentBits(out, head.Run(reference())), 0u);
}

// A token that is looked at alone and has nothing to say: the others' values must not show in its place.
TEST_P(Int8Attention, CountsWeightsOfSmallValuesInFull) {
  Head head(3, 16, 7);
  std::fill(head.q.begin(), head.q.end(), 4.0f);
  std::fill(head.k.begin(), head.k.end(), 0.0f);
  std::fill(head.k.begin(), head.k.begin() + 16, 4.0f);  // e^64 times the weight of the others
  std::fill(head.v.begin(), head.v.end(), 1.0f);
  std::fill(head.v.begin(), head.v.begin() + 16, 0.0f);
  for (const float x : head.Run(kernels())) EXPECT_NEAR(x, 0.0f, 1e-6f);
}

TEST_P(Int8Attention, TakesRowsOfZeros) {
  Head head(9, 8, 8);
  std::fill(head.q.begin(), head.q.end(), 0.0f);
  std::fill(head.k.begin(), head.k.end(), 0.0f);
  const Errors errors = Between(head.Run(kernels()), Definition(head, /*bytes=*/false));
  EXPECT_LT(errors.worst, 0.02);
}

TEST_P(Int8Attention, ShowsWhatIsNoNumber) {
  for (const float bad : {kNaN, -kNaN, kInfinity, -kInfinity}) {
    Head query(20, 16, 9);
    query.q[3 * 16 + 5] = bad;
    const std::vector<float> out = query.Run(kernels());
    for (size_t i = 0; i < out.size(); ++i) EXPECT_EQ(std::isnan(out[i]), i / 16 == 3) << bad;

    Head key(20, 16, 10), value(20, 16, 11);
    key.k[19 * 16] = bad;
    value.v[2 * 16 + 15] = bad;
    for (const float x : key.Run(kernels())) EXPECT_TRUE(std::isnan(x)) << bad;
    for (const float x : value.Run(kernels())) EXPECT_TRUE(std::isnan(x)) << bad;
  }
}

// Each head of each sequence as it is alone, wherever it lies; first tokens alone likewise.
TEST_P(Int8Attention, TasksAreTheHeadsOfAllSequences) {
  const int heads = 3, head_size = 16, width = heads * head_size;
  const std::vector<int32_t> offsets = {0, 20, 20, 21, 60};
  const size_t tokens = static_cast<size_t>(offsets.back());
  const std::vector<float> qkv = Random(13).Floats(tokens * 3 * width, 1.0f);
  AttentionArgs args = {.q = qkv.data(),
                        .k = qkv.data() + width,
                        .v = qkv.data() + 2 * width,
                        .row_stride = 3 * width,
                        .offsets = offsets.data(),
                        .sequences = 4,
                        .heads = heads,
                        .head_size = head_size,
                        .out_stride = width};
  const auto run = [&](size_t rows) {
    std::vector<float> out(rows * width, kUntouched);
    args.out = out.data();
    const Int8AttentionTasks tasks(kernels(), args);
    for (size_t i = tasks.count(); i-- > 0;) tasks.Run(i);
    return out;
  };
  const std::vector<float> out = run(tokens);
  args.first_only = true;
  const std::vector<float> firsts = run(4);
  for (int s = 0; s < 4; ++s) {
    const int begin = offsets[s], length = offsets[s + 1] - begin;
    for (int head = 0; head < heads; ++head) {
      if (length == 0) {
        EXPECT_EQ(firsts[s * width + head * head_size], kUntouched);
        continue;
      }
      Head alone(length, head_size, 0);
      for (int t = 0; t < length; ++t) {
        const float* row = qkv.data() + (begin + t) * size_t{3 * width} + head * head_size;
        std::copy(row, row + head_size, alone.q.data() + t * head_size);
        std::copy(row + width, row + width + head_size, alone.k.data() + t * head_size);
        std::copy(row + 2 * width, row + 2 * width + head_size, alone.v.data() + t * head_size);
      }
      const std::vector<float> expected = alone.Run(kernels());
      for (size_t i = 0; i < expected.size(); ++i) {
        const size_t t = i / head_size, column = head * head_size + i % head_size;
        EXPECT_EQ(out[(begin + t) * width + column], expected[i]) << s << ", " << head << ": " << i;
        if (t == 0) {
          EXPECT_EQ(firsts[s * width + column], expected[i]) << s << ", " << head << ": " << i;
        }
      }
    }
  }
}

TEST_P(Int8Attention, WritesItsOwnColumnsAlone) {
  const int tokens = 18, head_size = 24;
  const size_t stride = 40;
  const std::vector<float> x = Random(12).Floats(tokens * stride, 1.0f);
  const Heads heads(kernels(), x, stride, tokens, 1, head_size);
  std::vector<float> out(tokens * stride, kUntouched);
  std::vector<float> room(Int8AttentionScratch(tokens, head_size) + 16);
  kernels().int8_attention(
      {.q = x.data(),
       .q_stride = stride,
       .keys = heads.Of(0),
       .values = heads.Of(0),
       .rows = tokens,
       .tokens = tokens,
       .head_size = head_size,
       .out = out.data() + 8,
       .out_stride = stride,
       .scratch = room.data() + (64 - reinterpret_cast<uintptr_t>(room.data()) % 64) / sizeof(float)});
  for (size_t i = 0; i < out.size(); ++i) {
    const size_t column = i % stride;
    EXPECT_EQ(out[i] == kUntouched, column < 8 || column >= 8 + head_size) << i;
  }
}

}  // namespace
}  // namespace ks
