#include "kernels/rows.h"

#include <cmath>

#include "kernels/isa_test.h"

namespace ks {
namespace {

class Rows : public TableTest {};
INSTANTIATE_TEST_SUITE_P(Isas, Rows, testing::ValuesIn(TestedTables()), TableTestName);

struct NormInput {
  NormInput(int rows_in, int width_in, uint64_t seed) : rows(rows_in), width(width_in) {
    Random random(seed);
    const size_t size = static_cast<size_t>(rows) * width;
    x = random.Floats(size, 3.0f);
    for (float& value : x) value += 2.0f;  // a mean that matters
    residual = random.Floats(size);
    gamma = random.Floats(width);
    beta = random.Floats(width);
  }

  std::vector<float> Run(const KernelTable& kernels, bool with_residual, float eps = 1e-5f) const {
    std::vector<float> out(x.size());
    kernels.layer_norm({.x = x.data(),
                        .residual = with_residual ? residual.data() : nullptr,
                        .gamma = gamma.data(),
                        .beta = beta.data(),
                        .eps = eps,
                        .out = out.data(),
                        .rows = rows,
                        .width = width});
    return out;
  }

  int rows, width;
  std::vector<float> x, residual, gamma, beta;
};

TEST_P(Rows, LayerNormFollowsTheDefinition) {
  for (int width : {1, 8, 16, 33, 384}) {
    for (bool with_residual : {false, true}) {
      const NormInput in(6, width, 1);  // four in step, and two
      const float eps = 1e-5f;
      const std::vector<float> out = in.Run(kernels(), with_residual, eps);
      for (int r = 0; r < in.rows; ++r) {
        std::vector<double> s(width);
        double mean = 0, variance = 0;
        for (int i = 0; i < width; ++i) {
          s[i] = double{in.x[r * width + i]} + (with_residual ? in.residual[r * width + i] : 0.0f);
          mean += s[i] / width;
        }
        for (double value : s) variance += (value - mean) * (value - mean) / width;
        for (int i = 0; i < width; ++i) {
          const double expected = (s[i] - mean) / std::sqrt(variance + eps) * in.gamma[i] + in.beta[i];
          ASSERT_NEAR(out[r * width + i], expected, 1e-5) << "width " << width << ", row " << r << ", column " << i;
        }
      }
    }
  }
}

TEST_P(Rows, LayerNormWorksInPlace) {
  const NormInput in(6, 50, 2);
  const std::vector<float> expected = in.Run(kernels(), true);
  for (bool onto_residual : {false, true}) {
    NormInput copy = in;
    kernels().layer_norm({.x = copy.x.data(),
                          .residual = copy.residual.data(),
                          .gamma = copy.gamma.data(),
                          .beta = copy.beta.data(),
                          .eps = 1e-5f,
                          .out = onto_residual ? copy.residual.data() : copy.x.data(),
                          .rows = copy.rows,
                          .width = copy.width});
    EXPECT_EQ(DifferentBits(onto_residual ? copy.residual : copy.x, expected), 0u);
  }
}

TEST_P(Rows, LayerNormOfAConstantRowIsBeta) {
  NormInput in(1, 40, 3);
  in.x.assign(40, 5.0f);
  EXPECT_EQ(DifferentBits(in.Run(kernels(), false, 1e-12f), in.beta), 0u);
}

TEST_P(Rows, SoftmaxFollowsTheDefinition) {
  for (int width : {1, 3, 16, 21, 100}) {
    std::vector<float> x = Random(4).Floats(static_cast<size_t>(3) * width, 20.0f);
    for (int i = 0; i < width; ++i) x[i] -= 500.0f;  // only differences count
    std::vector<float> out(x.size());
    kernels().softmax({.x = x.data(), .out = out.data(), .rows = 3, .width = width});
    for (int r = 0; r < 3; ++r) {
      double sum = 0;
      for (int i = 0; i < width; ++i) sum += std::exp(double{x[r * width + i]} - x[r * width]);
      for (int i = 0; i < width; ++i) {
        ASSERT_NEAR(out[r * width + i], std::exp(double{x[r * width + i]} - x[r * width]) / sum, 1e-6)
            << r << ", " << i;
      }
    }
    kernels().softmax({.x = x.data(), .out = x.data(), .rows = 3, .width = width});
    EXPECT_EQ(DifferentBits(x, out), 0u) << "in place";
  }
}

struct EmbedInput {
  explicit EmbedInput(int width_in) : width(width_in) {
    Random random(5);
    word = random.Floats(static_cast<size_t>(10) * width);
    type = random.Floats(static_cast<size_t>(2) * width);
    position = random.Floats(static_cast<size_t>(6) * width);
  }
  EmbedArgs Args(std::vector<float>& out) const {
    out.assign(ids.size() * width, -777.0f);
    return {.ids = ids.data(),
            .type_ids = type_ids.data(),
            .positions = positions.data(),
            .word = word.data(),
            .type = type.data(),
            .position = position.data(),
            .out = out.data(),
            .rows = static_cast<int>(ids.size()),
            .width = width};
  }
  int width;
  std::vector<int32_t> ids = {9, 0, 4, 4}, type_ids = {0, 1, 1, 0}, positions = {0, 1, 0, 5};
  std::vector<float> word, type, position;
};

TEST_P(Rows, EmbedAddsTheThreeTables) {
  for (int width : {5, 16, 40}) {
    const EmbedInput in(width);
    std::vector<float> out;
    kernels().embed(in.Args(out));
    for (size_t t = 0; t < in.ids.size(); ++t) {
      for (int i = 0; i < width; ++i) {
        const float word_and_type = in.word[in.ids[t] * width + i] + in.type[in.type_ids[t] * width + i];
        ASSERT_EQ(out[t * width + i], word_and_type + in.position[in.positions[t] * width + i]) << t << ", " << i;
      }
    }
  }
}

TEST_P(Rows, EmbedDoesWithoutTypes) {
  const EmbedInput in(20);
  std::vector<float> out, expected;
  EmbedArgs args = in.Args(out);
  args.type = nullptr;
  args.type_ids = nullptr;
  kernels().embed(args);
  for (size_t t = 0; t < in.ids.size(); ++t) {
    for (int i = 0; i < 20; ++i)
      ASSERT_EQ(out[t * 20 + i], in.word[in.ids[t] * 20 + i] + in.position[in.positions[t] * 20 + i]);
  }
  // A table but no ids: its first row for all.
  const std::vector<int32_t> zeros(in.ids.size());
  args = in.Args(expected);
  args.type_ids = zeros.data();
  kernels().embed(args);
  args = in.Args(out);
  args.type_ids = nullptr;
  kernels().embed(args);
  EXPECT_EQ(DifferentBits(out, expected), 0u);
}

// The value of the bits of a float16, by its definition.
double HalfValue(uint16_t half) {
  const int exponent = half >> 10 & 0x1f;
  const int fraction = half & 0x3ff;
  const double size = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return (half & 0x8000) != 0 ? -size : size;
}

TEST_P(Rows, EmbedHalfWidensEveryNumberExactly) {
  constexpr int kWidth = 1 << 15;
  std::vector<uint16_t> words;
  for (uint32_t half = 0; half < 1u << 16; ++half) words.push_back(static_cast<uint16_t>(half));
  const std::vector<uint16_t> zeros(kWidth, 0x8000);  // -0, so that the sign of a zero shows
  const std::vector<int32_t> ids = {0, 1}, positions = {0, 0};
  std::vector<float> out(2 * kWidth);
  kernels().embed_half({.ids = ids.data(),
                        .positions = positions.data(),
                        .word = words.data(),
                        .position = zeros.data(),
                        .out = out.data(),
                        .rows = 2,
                        .width = kWidth});
  for (size_t half = 0; half < out.size(); ++half) {
    const bool finite = (half >> 10 & 0x1f) != 0x1f;
    if (finite) {
      ASSERT_EQ(out[half], HalfValue(static_cast<uint16_t>(half))) << half;
    } else if ((half & 0x3ff) == 0) {
      ASSERT_TRUE(std::isinf(out[half])) << half;
    } else {
      ASSERT_TRUE(std::isnan(out[half])) << half;
    }
    if (!std::isnan(out[half])) {
      ASSERT_EQ(std::signbit(out[half]), half >= 0x8000) << half;
    }
  }
}

TEST_P(Rows, EmbedHalfAddsAsEmbedDoes) {
  for (int width : {5, 16, 40}) {
    EmbedInput in(width);
    Random random(7);
    std::vector<uint16_t> halves[3];
    std::vector<float>* const tables[3] = {&in.word, &in.type, &in.position};
    for (int t = 0; t < 3; ++t) {
      for (float& value : *tables[t]) {
        halves[t].push_back(static_cast<uint16_t>(random.Below(2) << 15 | random.Below(0x7c00)));
        value = static_cast<float>(HalfValue(halves[t].back()));
      }
    }
    std::vector<float> expected, out(in.ids.size() * width);
    kernels().embed(in.Args(expected));
    kernels().embed_half({.ids = in.ids.data(),
                          .type_ids = in.type_ids.data(),
                          .positions = in.positions.data(),
                          .word = halves[0].data(),
                          .type = halves[1].data(),
                          .position = halves[2].data(),
                          .out = out.data(),
                          .rows = static_cast<int>(in.ids.size()),
                          .width = width});
    EXPECT_EQ(DifferentBits(out, expected), 0u) << "width " << width;
  }
}

TEST_P(Rows, GiveTheBitsOfTheScalarKernel) {
  for (int width : {7, 64, 90}) {
    const NormInput in(5, width, 6);
    EXPECT_EQ(DifferentBits(in.Run(kernels(), true), in.Run(reference(), true)), 0u) << "layer norm, width " << width;
    std::vector<float> a(in.x.size()), b(in.x.size());
    kernels().softmax({.x = in.x.data(), .out = a.data(), .rows = 5, .width = width});
    reference().softmax({.x = in.x.data(), .out = b.data(), .rows = 5, .width = width});
    EXPECT_EQ(DifferentBits(a, b), 0u) << "softmax, width " << width;
  }
}

}  // namespace
}  // namespace ks
