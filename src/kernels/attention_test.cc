#include "kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <thread>

#include "kernels/isa_test.h"

namespace ks {
namespace {

constexpr float kUntouched = -777.0f;

// A packed batch in one [T, 3H] array, and the output of the last run.
struct Batch {
  Batch(std::vector<int> lengths, int heads_in, int head_size_in, uint64_t seed)
      : heads(heads_in), head_size(head_size_in) {
    for (int length : lengths) offsets.push_back(offsets.back() + length);
    Random random(seed);
    qkv = random.Floats(static_cast<size_t>(std::max(1, offsets.back())) * 3 * width(), 2.0f);  // never no array
  }

  size_t width() const { return static_cast<size_t>(heads) * head_size; }

  AttentionArgs Args() {
    out.assign(static_cast<size_t>(offsets.back()) * width(), kUntouched);
    return {.q = qkv.data(),
            .k = qkv.data() + width(),
            .v = qkv.data() + 2 * width(),
            .row_stride = 3 * width(),
            .offsets = offsets.data(),
            .sequences = static_cast<int>(offsets.size()) - 1,
            .heads = heads,
            .head_size = head_size,
            .out = out.data(),
            .out_stride = width()};
  }

  std::vector<float> Run(const KernelTable& kernels) {
    RunAll(AttentionTasks(kernels, Args()));
    return out;
  }

  int heads, head_size;
  std::vector<int32_t> offsets = {0};
  std::vector<float> qkv, out;
};

// Straight from the definition, in double precision.
std::vector<double> Reference(const Batch& batch) {
  const size_t width = batch.width();
  std::vector<double> out(static_cast<size_t>(batch.offsets.back()) * width);
  for (size_t s = 0; s + 1 < batch.offsets.size(); ++s) {
    const int begin = batch.offsets[s];
    const int end = batch.offsets[s + 1];
    for (int head = 0; head < batch.heads; ++head) {
      const size_t column = static_cast<size_t>(head) * batch.head_size;
      for (int i = begin; i < end; ++i) {
        const float* q = &batch.qkv[i * 3 * width + column];
        std::vector<double> p;
        for (int j = begin; j < end; ++j) {
          const float* k = &batch.qkv[j * 3 * width + width + column];
          double dot = 0;
          for (int c = 0; c < batch.head_size; ++c) dot += double{q[c]} * k[c];
          p.push_back(std::exp(dot / std::sqrt(double(batch.head_size))));
        }
        double sum = 0;
        for (double value : p) sum += value;
        for (int j = begin; j < end; ++j) {
          const float* v = &batch.qkv[j * 3 * width + 2 * width + column];
          for (int c = 0; c < batch.head_size; ++c) out[i * width + column + c] += p[j - begin] / sum * v[c];
        }
      }
    }
  }
  return out;
}

class Attention : public TableTest {};
INSTANTIATE_TEST_SUITE_P(Isas, Attention, testing::ValuesIn(TestedTables()), TableTestName);

TEST_P(Attention, FollowsTheDefinition) {
  for (int head_size : {1, 8, 16, 24, 32, 48, 64, 80}) {
    Batch batch({1, 2, 15, 16, 17, 31, 32, 33, 48, 70}, head_size < 32 ? 2 : 1, head_size, 1);
    const std::vector<float> out = batch.Run(kernels());
    const std::vector<double> expected = Reference(batch);
    double worst = 0;
    for (size_t i = 0; i < out.size(); ++i) worst = std::max(worst, std::abs(out[i] - expected[i]));
    EXPECT_LT(worst, 1e-5) << "head size " << head_size;
  }
}

TEST_P(Attention, FollowsTheDefinitionOnLongSequences) {
  Batch batch({512}, 1, 64, 2);
  const std::vector<float> out = batch.Run(kernels());
  const std::vector<double> expected = Reference(batch);
  double worst = 0;
  for (size_t i = 0; i < out.size(); ++i) worst = std::max(worst, std::abs(out[i] - expected[i]));
  EXPECT_LT(worst, 1e-5);
}

TEST_P(Attention, GivesTheBitsOfTheScalarKernel) {
  for (int head_size : {8, 20, 32, 64}) {
    Batch batch({1, 3, 16, 18, 32, 45, 70}, 2, head_size, 3);
    EXPECT_EQ(DifferentBits(batch.Run(kernels()), batch.Run(reference())), 0u) << "head size " << head_size;
  }
}

TEST_P(Attention, GivesTheSameBitsAloneAndInAnyBatch) {
  const int heads = 2;
  const int head_size = 32;
  Batch batch({7, 33, 1, 64, 20, 40}, heads, head_size, 4);
  const std::vector<float> together = batch.Run(kernels());
  for (size_t s = 0; s + 1 < batch.offsets.size(); ++s) {
    const int begin = batch.offsets[s];
    const int end = batch.offsets[s + 1];
    Batch alone({end - begin}, heads, head_size, 0);
    const size_t row = 3 * batch.width();
    alone.qkv.assign(batch.qkv.begin() + begin * row, batch.qkv.begin() + end * row);
    const std::vector<float> part(together.begin() + begin * batch.width(), together.begin() + end * batch.width());
    EXPECT_EQ(DifferentBits(alone.Run(kernels()), part), 0u) << "sequence " << s;
  }
}

TEST_P(Attention, GivesTheSameBitsInAnyOrderAndFromAnyThread) {
  Batch batch({100, 5, 200, 64, 33}, 4, 32, 5);
  const std::vector<float> expected = batch.Run(kernels());
  const AttentionTasks tasks(kernels(), batch.Args());
  ASSERT_GT(tasks.count(), 4u);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = tasks.count(); i-- > 0;) {
        if (i % 2 == t) tasks.Run(i);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(DifferentBits(batch.out, expected), 0u);
}

TEST_P(Attention, TakesSeparateArraysAndStrides) {
  Batch batch({9, 40}, 2, 32, 6);
  const std::vector<float> expected = batch.Run(kernels());
  const size_t width = batch.width();
  const size_t rows = static_cast<size_t>(batch.offsets.back());
  std::vector<float> parts[3];
  for (int p = 0; p < 3; ++p) {
    for (size_t r = 0; r < rows; ++r) {
      const auto from = batch.qkv.begin() + static_cast<ptrdiff_t>((3 * r + p) * width);
      parts[p].insert(parts[p].end(), from, from + static_cast<ptrdiff_t>(width));
    }
  }
  AttentionArgs args = batch.Args();
  args.q = parts[0].data();
  args.k = parts[1].data();
  args.v = parts[2].data();
  args.row_stride = width;
  std::vector<float> out(rows * (width + 5), kUntouched);
  args.out = out.data();
  args.out_stride = width + 5;
  RunAll(AttentionTasks(kernels(), args));
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < width + 5; ++c) {
      ASSERT_EQ(out[r * (width + 5) + c], c < width ? expected[r * width + c] : kUntouched) << r << ", " << c;
    }
  }
}

TEST_P(Attention, GivesFirstTokensTheBitsThatTheyHaveAmongAll) {
  for (int head_size : {20, 32, 64}) {
    Batch batch({7, 1, 0, 33, 64, 100}, 3, head_size, 10);
    const std::vector<float> all = batch.Run(kernels());
    const size_t width = batch.width();
    const size_t stride = width + 3;
    std::vector<float> expected(6 * stride, kUntouched);
    for (size_t s = 0; s < 6; ++s) {
      if (s == 2) continue;  // it has no first token
      std::copy_n(all.begin() + static_cast<ptrdiff_t>(batch.offsets[s] * width), width,
                  expected.begin() + static_cast<ptrdiff_t>(s * stride));
    }
    std::vector<float> out(6 * stride, kUntouched);
    AttentionArgs args = batch.Args();
    args.first_only = true;
    args.out = out.data();
    args.out_stride = stride;
    RunAll(AttentionTasks(kernels(), args));
    EXPECT_EQ(DifferentBits(out, expected), 0u) << "head size " << head_size;
  }
}

TEST_P(Attention, SurvivesScoresThatOverflowExp) {
  Batch batch({20}, 1, 16, 7);
  for (float& value : batch.qkv) value *= 50.0f;
  for (float value : batch.Run(kernels())) ASSERT_TRUE(std::isfinite(value));
}

TEST_P(Attention, PassesNansOnToTheirSequenceAlone) {
  Batch batch({20, 20}, 1, 32, 8);
  batch.qkv[3 * batch.width() * 5 + batch.width()] = std::nanf("");  // a key of the first sequence
  const std::vector<float> out = batch.Run(kernels());
  for (size_t i = 0; i < out.size(); ++i) ASSERT_EQ(std::isnan(out[i]), i < out.size() / 2) << i;
}

TEST(AttentionTasksTest, AreFewForShortTextsAndNoneForNoText) {
  const KernelTable& kernels = BestKernels();
  EXPECT_EQ(AttentionTasks(kernels, Batch({}, 12, 32, 1).Args()).count(), 0u);
  EXPECT_EQ(AttentionTasks(kernels, Batch({0, 0}, 12, 32, 1).Args()).count(), 0u);
  EXPECT_EQ(AttentionTasks(kernels, Batch({16}, 12, 32, 1).Args()).count(), 1u);
  EXPECT_GE(AttentionTasks(kernels, Batch({128}, 12, 32, 1).Args()).count(), 8u);
}

TEST(AttentionTasksTest, SkipEmptySequences) {
  Batch batch({0, 5, 0, 0, 6, 0}, 2, 16, 9);
  Batch dense({5, 6}, 2, 16, 9);
  EXPECT_EQ(DifferentBits(batch.Run(BestKernels()), dense.Run(BestKernels())), 0u);
}

}  // namespace
}  // namespace ks
