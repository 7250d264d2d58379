// Sweeps exp, tanh, gelu and relu against double precision.
#include <bit>
#include <cmath>
#include <limits>

#include "kernels/isa_test.h"

namespace ks {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

using Function = void (*)(const float*, float*, size_t);

// Each `step`-th float from -limit to limit, small ones included.
std::vector<float> Sweep(float limit, uint32_t step) {
  std::vector<float> values = {0.0f, -0.0f};
  for (uint32_t bits = 1; std::bit_cast<float>(bits) <= limit; bits += step) {
    values.push_back(std::bit_cast<float>(bits));
    values.push_back(-values.back());
  }
  return values;
}

std::vector<float> Apply(Function function, const std::vector<float>& x) {
  std::vector<float> y(x.size());
  function(x.data(), y.data(), x.size());
  return y;
}

double Gelu(double x) { return x * 0.5 * std::erfc(-x / std::sqrt(2.0)); }

class Pointwise : public TableTest {};
INSTANTIATE_TEST_SUITE_P(Isas, Pointwise, testing::ValuesIn(TestedTables()), TableTestName);

// Bounds as dispatch.h states them. The step is odd, so that all patterns of low bits come up.
TEST_P(Pointwise, ExpIsWithinItsBound) {
  const std::vector<float> x = Sweep(100.0f, 2053);
  const std::vector<float> y = Apply(kernels().exp, x);
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (x[i] < -87.33f) {
      ASSERT_EQ(y[i], 0.0f) << x[i];
    } else if (x[i] > 88.7228f) {
      ASSERT_EQ(y[i], kInf) << x[i];
    } else {
      const double exact = std::exp(double{x[i]});
      worst = std::max(worst, std::abs(y[i] / exact - 1));
    }
  }
  EXPECT_LE(worst, 1e-7);
  EXPECT_GT(worst, 1e-8) << "a sweep that sees no rounding at all measures nothing";
}

TEST_P(Pointwise, TanhIsWithinItsBound) {
  const std::vector<float> x = Sweep(30.0f, 2053);
  const std::vector<float> y = Apply(kernels().tanh, x);
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::abs(x[i]) < std::numeric_limits<float>::min()) {
      ASSERT_EQ(y[i], x[i]);
      continue;
    }
    worst = std::max(worst, std::abs(y[i] / std::tanh(double{x[i]}) - 1));
  }
  EXPECT_LE(worst, 1.5e-7);
  EXPECT_GT(worst, 1e-8);
}

// The largest error of a kernel's GELU on [-end, end], where it may grow with |x| beyond `level`.
double WorstGelu(Function gelu, float end, double level) {
  const std::vector<float> x = Sweep(end, 2053);
  const std::vector<float> y = Apply(gelu, x);
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    worst = std::max(worst, std::abs(y[i] - Gelu(x[i])) / std::max(1.0, std::abs(double{x[i]}) / level));
  }
  return worst;
}

TEST_P(Pointwise, GeluIsWithinItsBound) {
  const double worst = WorstGelu(kernels().gelu, 1000.0f, 90);
  EXPECT_LE(worst, 4.5e-6);
  EXPECT_GT(worst, 3e-6);
}

TEST_P(Pointwise, CoarseGeluIsWithinItsBound) {
  const double worst = WorstGelu(kernels().coarse_gelu, 10000.0f, 3400);
  EXPECT_LE(worst, 1.7e-4);
  EXPECT_GT(worst, 1.5e-4);
}

TEST_P(Pointwise, TreatsSpecialValuesAsDocumented) {
  const float nan = std::nanf("");
  // A payload in the low bits: those that the range reduction shifts into the exponent.
  const float odd_nan = std::bit_cast<float>(0x7fc00155u);
  const std::vector<float> x = {nan, odd_nan, kInf, -kInf, 0.0f, -0.0f, 3e38f, -3e38f};
  const std::vector<float> exp = Apply(kernels().exp, x);
  EXPECT_THAT(exp, testing::ElementsAre(testing::IsNan(), testing::IsNan(), kInf, 0, 1, 1, kInf, 0));
  const std::vector<float> tanh = Apply(kernels().tanh, x);
  EXPECT_THAT(tanh, testing::ElementsAre(testing::IsNan(), testing::IsNan(), 1, -1, 0, 0, 1, -1));
  EXPECT_TRUE(std::signbit(tanh[5]));
  for (const auto function : {kernels().gelu, kernels().coarse_gelu}) {
    const std::vector<float> gelu = Apply(function, x);
    EXPECT_THAT(gelu,
                testing::ElementsAre(testing::IsNan(), testing::IsNan(), kInf, testing::_, 0, 0, 3e38f, testing::_));
    EXPECT_FALSE(std::isfinite(gelu[3]));  // whoever quantises it must see that something is wrong
    EXPECT_LE(std::abs(gelu[7]), 5e-8f * 3e38f);
  }
  const std::vector<float> relu = Apply(kernels().relu, x);
  EXPECT_THAT(relu, testing::ElementsAre(testing::IsNan(), testing::IsNan(), kInf, 0, 0, 0, 3e38f, 0));
}

TEST_P(Pointwise, GivesTheBitsOfTheScalarKernel) {
  const std::vector<float> x = Sweep(std::numeric_limits<float>::max(), 40009);
  EXPECT_EQ(DifferentBits(Apply(kernels().exp, x), Apply(reference().exp, x)), 0u);
  EXPECT_EQ(DifferentBits(Apply(kernels().tanh, x), Apply(reference().tanh, x)), 0u);
  EXPECT_EQ(DifferentBits(Apply(kernels().gelu, x), Apply(reference().gelu, x)), 0u);
  EXPECT_EQ(DifferentBits(Apply(kernels().coarse_gelu, x), Apply(reference().coarse_gelu, x)), 0u);
  EXPECT_EQ(DifferentBits(Apply(kernels().relu, x), Apply(reference().relu, x)), 0u);
}

TEST_P(Pointwise, TouchesExactlyTheGivenNumbers) {
  Random random(1);
  for (size_t n = 0; n <= 40; ++n) {
    const std::vector<float> x = random.Floats(n + 1);
    std::vector<float> y(n + 1, 42.0f);
    kernels().exp(x.data(), y.data(), n);
    EXPECT_EQ(y[n], 42.0f) << n;
    std::vector<float> in_place = x;
    kernels().exp(in_place.data(), in_place.data(), n);
    in_place[n] = 42.0f;
    EXPECT_EQ(DifferentBits(in_place, y), 0u) << n;
  }
}

}  // namespace
}  // namespace ks
