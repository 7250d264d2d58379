#include "kernels/int8_linear.h"

#include <cmath>
#include <limits>

#include "kernels/isa_test.h"

namespace ks {
namespace {

constexpr float kUntouched = -777.0f;
constexpr float kInf = std::numeric_limits<float>::infinity();

// --- Rows ---

struct Quantized {
  std::vector<uint8_t> q;  // [rows, PaddedInputs(inputs) + 3]
  std::vector<float> scales;
  std::vector<int32_t> zero_points;
  size_t stride;
};

Quantized Quantize(const KernelTable& kernels, const std::vector<float>& x, int rows, int inputs,
                   std::vector<float> multipliers = {}) {
  multipliers.resize(static_cast<size_t>(inputs), 1.0f);
  const size_t stride = static_cast<size_t>(PaddedInputs(inputs)) + 3;
  Quantized out = {std::vector<uint8_t>(rows * stride, 77), std::vector<float>(rows, kUntouched),
                   std::vector<int32_t>(rows, -1), stride};
  kernels.quantize_rows({.x = x.data(),
                         .x_stride = static_cast<size_t>(inputs),
                         .multipliers = multipliers.data(),
                         .q = out.q.data(),
                         .q_stride = stride,
                         .scales = out.scales.data(),
                         .zero_points = out.zero_points.data(),
                         .rows = rows,
                         .inputs = inputs});
  return out;
}

class Int8Rows : public TableTest {};
INSTANTIATE_TEST_SUITE_P(Isas, Int8Rows, testing::ValuesIn(TestedTables()), TableTestName);

// The header's formula, written out once more.
TEST_P(Int8Rows, FollowTheDefinition) {
  for (int inputs : {1, 3, 4, 15, 16, 17, 50, 384}) {
    const int rows = 5;
    Random random(static_cast<uint64_t>(inputs));
    std::vector<float> x = random.Floats(static_cast<size_t>(rows) * inputs, 3.0f);
    for (int k = 0; k < inputs; ++k) x[inputs + k] = std::abs(x[inputs + k]);           // no number below zero
    for (int k = 0; k < inputs; ++k) x[2 * inputs + k] = -std::abs(x[2 * inputs + k]);  // none above
    const std::vector<float> multipliers = random.Floats(static_cast<size_t>(inputs), 2.0f);
    const Quantized found = Quantize(kernels(), x, rows, inputs, multipliers);
    for (size_t i = 0; i < x.size(); ++i) x[i] *= multipliers[i % static_cast<size_t>(inputs)];
    for (int r = 0; r < rows; ++r) {
      float low = 0, high = 0;
      for (int k = 0; k < inputs; ++k) {
        low = std::min(low, x[r * inputs + k]);
        high = std::max(high, x[r * inputs + k]);
      }
      const float scale = (high - low) / 255.0f;
      const float inverse = 255.0f / (high - low);
      const int zero_point = static_cast<int>(std::nearbyint(-low / scale));
      ASSERT_EQ(found.scales[r], scale) << "row " << r << " of " << inputs;
      ASSERT_EQ(found.zero_points[r], zero_point) << "row " << r << " of " << inputs;
      for (size_t k = 0; k < found.stride; ++k) {
        int expected = 77;  // beyond the padding nothing is written
        if (k < static_cast<size_t>(inputs)) {
          expected = static_cast<int>(std::nearbyint(x[r * inputs + k] * inverse)) + zero_point;
          expected = std::min(255, std::max(0, expected));
        } else if (k < static_cast<size_t>(PaddedInputs(inputs))) {
          expected = zero_point;
        }
        ASSERT_EQ(found.q[r * found.stride + k], expected) << "row " << r << ", byte " << k << " of " << inputs;
      }
    }
  }
}

TEST_P(Int8Rows, RoundToEvenAndClampWhatRoundsPastTheEnds) {
  // From -127.5 to 127.5 the scale is 1 and the zero point, 127.5, is a tie.
  std::vector<float> x = {-127.5f, 127.5f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 0.0f};
  const Quantized found = Quantize(kernels(), x, 1, 8);
  EXPECT_EQ(found.scales[0], 1.0f);
  EXPECT_EQ(found.zero_points[0], 128);
  const std::vector<uint8_t> bytes(found.q.begin(), found.q.begin() + 8);
  EXPECT_THAT(bytes, testing::ElementsAre(0, 255, 128, 130, 130, 128, 126, 128));
}

TEST_P(Int8Rows, GiveZerosForZerosAndForWhatIsAlmostZero) {
  for (float value : {0.0f, -0.0f, 0x1p-121f, -0x1p-140f}) {
    const Quantized found = Quantize(kernels(), std::vector<float>(20, value), 1, 20);
    EXPECT_EQ(found.scales[0], 0.0f) << value;
    EXPECT_EQ(found.zero_points[0], 0) << value;
    for (int k = 0; k < 20; ++k) ASSERT_EQ(found.q[k], 0) << value;
  }
  EXPECT_GT(Quantize(kernels(), {0x1p-120f}, 1, 1).scales[0], 0.0f);
}

TEST_P(Int8Rows, MarkRowsThatHoldNoNumbers) {
  for (float value : {std::nanf(""), -std::nanf(""), kInf, -kInf}) {
    for (int position : {0, 15, 16, 36}) {
      std::vector<float> x = Random(1).Floats(3 * 37);
      x[37 + position] = value;
      const Quantized found = Quantize(kernels(), x, 3, 37);
      EXPECT_TRUE(std::isnan(found.scales[1])) << value << " at " << position;
      EXPECT_EQ(found.zero_points[1], 0);
      EXPECT_FALSE(std::isnan(found.scales[0]) || std::isnan(found.scales[2]));
    }
  }
}

TEST_P(Int8Rows, GiveTheBitsOfTheScalarKernel) {
  for (int inputs : {7, 33, 64, 129}) {
    Random random(2);
    std::vector<float> x = random.Floats(static_cast<size_t>(40) * inputs, 2.0f);
    for (size_t i = 0; i < x.size(); i += 11) x[i] *= std::ldexp(1.0f, random.Below(200) - 100);
    for (int k = 0; k < inputs; ++k) x[k] = k % 2 == 0 ? 3e38f : -3e38f;  // a range that overflows
    x[inputs + 3] = std::nanf("");
    const std::vector<float> multipliers = random.Floats(static_cast<size_t>(inputs));
    const Quantized found = Quantize(kernels(), x, 40, inputs, multipliers);
    const Quantized expected = Quantize(reference(), x, 40, inputs, multipliers);
    EXPECT_EQ(found.q, expected.q);
    EXPECT_EQ(found.zero_points, expected.zero_points);
    for (int r = 0; r < 40; ++r) {
      if (r != 1) {
        ASSERT_EQ(found.scales[r], expected.scales[r]) << "row " << r;
      }
    }
  }
}

// --- Weights ---

struct Layer {
  Layer(int outputs_in, int inputs_in, uint64_t seed) : outputs(outputs_in), inputs(inputs_in) {
    Random random(seed);
    w.resize(static_cast<size_t>(outputs) * inputs);
    for (int8_t& value : w) value = static_cast<int8_t>(random.Below(255) - 127);
    scales = random.Floats(PaddedOutputs(outputs), 0.01f);
    bias = random.Floats(PaddedOutputs(outputs));
    Pack();
  }

  void Pack() {
    packed.assign(PackedInt8Bytes(outputs, inputs), 99);
    column_sums.assign(PaddedOutputs(outputs), 99);
    PackInt8Weights(w.data(), outputs, inputs, packed.data(), column_sums.data());
  }

  Int8Weights weights() const {
    return {.packed = packed.data(),
            .scales = scales.data(),
            .column_sums = column_sums.data(),
            .bias = bias.data(),
            .inputs = inputs,
            .outputs = outputs};
  }

  int outputs, inputs;
  std::vector<int8_t> w, packed;
  std::vector<float> scales, bias;
  std::vector<int32_t> column_sums;
};

TEST(PackInt8Weights, PutsFourInputsOfSixteenOutputsIntoALineAndZerosAround) {
  for (const auto& [outputs, inputs] : {std::pair(1, 1), {16, 4}, {17, 5}, {40, 30}}) {
    const Layer layer(outputs, inputs, 1);
    const int lines = PaddedInputs(inputs) / 4;
    for (int n = 0; n < PaddedOutputs(outputs); ++n) {
      int sum = 0;
      for (int k = 0; k < PaddedInputs(inputs); ++k) {
        const int expected = n < outputs && k < inputs ? layer.w[n * inputs + k] : 0;
        ASSERT_EQ(layer.packed[((n / 16 * lines + k / 4) * 16 + n % 16) * 4 + k % 4], expected) << n << ", " << k;
        sum += expected;
      }
      ASSERT_EQ(layer.column_sums[n], sum) << n;
    }
  }
}

// --- The product ---

struct Call {
  std::vector<uint8_t> q;
  std::vector<float> scales;
  std::vector<int32_t> zero_points;
  std::vector<float> residual;
  Epilogue epilogue = Epilogue::kNone;
  int rows;

  Call(int rows_in, const Layer& layer, uint64_t seed) : rows(rows_in) {
    Random random(seed);
    q.resize(static_cast<size_t>(rows) * PaddedInputs(layer.inputs));
    for (uint8_t& value : q) value = static_cast<uint8_t>(random.Below(256));  // the padding holds anything
    scales = random.Floats(rows, 0.1f);
    for (int r = 0; r < rows; ++r) zero_points.push_back(random.Below(256));
  }

  Int8LinearArgs Args(const Layer& layer, float* out) const {
    return {.q = q.data(),
            .q_stride = static_cast<size_t>(PaddedInputs(layer.inputs)),
            .scales = scales.data(),
            .zero_points = zero_points.data(),
            .weights = layer.weights(),
            .epilogue = epilogue,
            .residual = residual.empty() ? nullptr : residual.data(),
            .residual_stride = static_cast<size_t>(layer.outputs),
            .out = out,
            .out_stride = static_cast<size_t>(layer.outputs) + 2,
            .rows = rows};
  }

  std::vector<float> Run(const KernelTable& kernels, const Layer& layer) const {
    std::vector<float> out(rows * (static_cast<size_t>(layer.outputs) + 2), kUntouched);
    kernels.int8_linear(Args(layer, out.data()));
    return out;
  }
};

// In 64-bit integers and double precision, straight from the checkpoint's order of weights.
double Expected(const Layer& layer, const Call& call, int row, int output) {
  int64_t sum = 0;
  for (int k = 0; k < layer.inputs; ++k) {
    const int64_t q = call.q[static_cast<size_t>(row) * PaddedInputs(layer.inputs) + k];
    sum += (q - call.zero_points[row]) * layer.w[static_cast<size_t>(output) * layer.inputs + k];
  }
  double y = static_cast<double>(sum) * call.scales[row] * layer.scales[output] + layer.bias[output];
  if (call.epilogue == Epilogue::kGelu) y *= 0.5 * std::erfc(-y / std::sqrt(2.0));
  return y + (call.residual.empty() ? 0.0f : call.residual[row * layer.outputs + output]);
}

class Int8Linear : public TableTest {};
INSTANTIATE_TEST_SUITE_P(Isas, Int8Linear, testing::ValuesIn(TestedTables()), TableTestName);

TEST_P(Int8Linear, FollowsTheDefinitionAndWritesNothingElse) {
  for (const auto& [rows, outputs, inputs] :
       {std::tuple(1, 1, 1), {2, 16, 4}, {9, 35, 30}, {11, 49, 7}, {70, 96, 64}}) {
    const Layer layer(outputs, inputs, 1);
    for (Epilogue epilogue : {Epilogue::kNone, Epilogue::kGelu}) {
      for (bool with_residual : {false, true}) {
        Call call(rows, layer, 2);
        call.epilogue = epilogue;
        if (with_residual) call.residual = Random(3).Floats(static_cast<size_t>(rows) * outputs);
        const std::vector<float> out = call.Run(kernels(), layer);
        for (int r = 0; r < rows; ++r) {
          for (int n = 0; n < outputs; ++n) {
            const double expected = Expected(layer, call, r, n);
            ASSERT_NEAR(out[r * (outputs + 2) + n], expected,
                        (epilogue == Epilogue::kGelu ? 1.8e-4 : 1e-6) * std::max(1.0, std::abs(expected)))
                << rows << " x " << outputs << " x " << inputs << ", row " << r << ", output " << n;
          }
          ASSERT_EQ(out[r * (outputs + 2) + outputs], kUntouched);
          ASSERT_EQ(out[r * (outputs + 2) + outputs + 1], kUntouched);
        }
      }
    }
  }
}

// With both scales 1 and no bias the result is the integer itself: no product may saturate on the way.
TEST_P(Int8Linear, IsExactAtTheExtremes) {
  const int inputs = 130;
  Layer layer(48, inputs, 4);
  layer.scales.assign(48, 1.0f);
  layer.bias.assign(48, 0.0f);
  for (int q : {0, 1, 127, 128, 129, 255}) {
    for (int w : {-127, -1, 1, 127}) {
      layer.w.assign(layer.w.size(), static_cast<int8_t>(w));
      layer.Pack();
      Call call(10, layer, 5);
      call.q.assign(call.q.size(), static_cast<uint8_t>(q));
      call.scales.assign(10, 1.0f);
      call.zero_points = {0, 255, 128, 1, 127, 0, 255, 128, 1, 127};
      const std::vector<float> out = call.Run(kernels(), layer);
      for (int r = 0; r < 10; ++r) {
        for (int n = 0; n < 48; ++n)
          ASSERT_EQ(out[r * 50 + n], (q - call.zero_points[r]) * w * inputs) << q << " " << w;
      }
    }
  }
}

// As above with both ends side by side in every order: whichever of four neighbours a kernel adds first.
TEST_P(Int8Linear, IsExactWhereTheExtremesMeet) {
  for (int inputs : {1, 7, 29, 64, 131}) {
    Layer layer(16, inputs, 4);
    layer.scales.assign(16, 1.0f);
    layer.bias.assign(16, 0.0f);
    for (int n = 0; n < 16; ++n) {
      for (int k = 0; k < inputs; ++k) layer.w[n * inputs + k] = (n >> (k % 4)) % 2 != 0 ? 127 : -127;
    }
    layer.Pack();
    Call call(16, layer, 5);
    call.scales.assign(16, 1.0f);
    for (int r = 0; r < 16; ++r) {
      call.zero_points[r] = r % 2 != 0 ? 255 : 0;
      for (int k = 0; k < PaddedInputs(inputs); ++k) {
        call.q[r * PaddedInputs(inputs) + k] = (r >> (k % 4)) % 2 != 0 ? 255 : 0;
      }
    }
    const std::vector<float> out = call.Run(kernels(), layer);
    for (int r = 0; r < 16; ++r) {
      for (int n = 0; n < 16; ++n) {
        ASSERT_EQ(out[r * 18 + n], Expected(layer, call, r, n)) << inputs << ": " << r << ", " << n;
      }
    }
  }
}

TEST_P(Int8Linear, TakesTheLongestRows) {
  const int inputs = 32768;
  Layer layer(2, inputs, 6);
  for (int k = 0; k < inputs; ++k) {
    layer.w[k] = -127;
    layer.w[inputs + k] = 127;
  }
  layer.Pack();
  layer.scales.assign(layer.scales.size(), 1.0f);
  layer.bias.assign(layer.bias.size(), 0.0f);
  Call call(3, layer, 7);
  for (int r = 0; r < 3; ++r) {
    std::fill_n(call.q.begin() + r * inputs, inputs, r == 1 ? 0 : 255);
    call.scales[r] = 1.0f;
    call.zero_points[r] = r == 1 ? 255 : 0;
  }
  const std::vector<float> out = call.Run(kernels(), layer);
  const auto most = static_cast<float>(255 * 127 * 32768LL);
  for (int r = 0; r < 3; ++r) {
    EXPECT_EQ(out[r * 4], r == 1 ? most : -most);
    EXPECT_EQ(out[r * 4 + 1], r == 1 ? -most : most);
  }
}

// What a kernel prepares for many rows must fit, or it takes fewer of them at once.
TEST_P(Int8Linear, TakesManyLongRows) {
  for (const auto& [rows, inputs] : {std::pair(67, 1030), {64, 1030}, {20, 3077}, {47, 3077}, {7, 30001}}) {
    const Layer layer(19, inputs, 20);
    Call call(rows, layer, 21);
    call.residual = Random(22).Floats(static_cast<size_t>(rows) * 19);
    EXPECT_EQ(DifferentBits(call.Run(kernels(), layer), call.Run(reference(), layer)), 0u) << rows << " x " << inputs;
  }
}

TEST_P(Int8Linear, RoundsOnceAfterTheProductOfTheScales) {
  const Layer layer(20, 36, 8);
  const Call call(3, layer, 9);
  const std::vector<float> out = call.Run(kernels(), layer);
  for (int r = 0; r < 3; ++r) {
    for (int n = 0; n < 20; ++n) {
      int sum = 0;
      for (int k = 0; k < 36; ++k) sum += (call.q[r * 36 + k] - call.zero_points[r]) * layer.w[n * 36 + k];
      const float scale = call.scales[r] * layer.scales[n];
      ASSERT_EQ(out[r * 22 + n], std::fma(static_cast<float>(sum), scale, layer.bias[n])) << r << ", " << n;
    }
  }
}

TEST_P(Int8Linear, GivesTheBitsOfTheScalarKernel) {
  const Layer layer(85, 70, 10);
  // Tiles take 16 rows and up to four of them at once, more in parts of them.
  for (int rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 48, 49, 63, 64, 65, 73, 130, 193}) {
    for (Epilogue epilogue : {Epilogue::kNone, Epilogue::kGelu}) {
      Call call(rows, layer, 11);
      call.epilogue = epilogue;
      EXPECT_EQ(DifferentBits(call.Run(kernels(), layer), call.Run(reference(), layer)), 0u) << rows << " rows";
      call.residual = Random(12).Floats(static_cast<size_t>(rows) * 85);
      EXPECT_EQ(DifferentBits(call.Run(kernels(), layer), call.Run(reference(), layer)), 0u) << rows << " rows";
    }
  }
}

TEST_P(Int8Linear, GivesTheSameBitsAloneAndInAnyBatchAndCut) {
  const Layer layer(112, 64, 13);
  Call call(70, layer, 14);
  call.epilogue = Epilogue::kGelu;
  const std::vector<float> together = call.Run(kernels(), layer);
  std::vector<float> parts(together.size(), kUntouched);
  for (int r = 0; r < call.rows; ++r) {
    for (int first : {0, 32, 48}) {
      const int end = first == 0 ? 32 : first == 32 ? 48 : 112;
      Int8LinearArgs args = call.Args(layer, parts.data() + r * size_t{114} + first);
      args.q += r * args.q_stride;
      args.scales += r;
      args.zero_points += r;
      args.weights.packed += PackedInt8Bytes(first, layer.inputs);
      args.weights.scales += first;
      args.weights.column_sums += first;
      args.weights.bias += first;
      args.weights.outputs = end - first;
      args.rows = 1;
      kernels().int8_linear(args);
    }
  }
  EXPECT_EQ(DifferentBits(parts, together), 0u);
}

TEST_P(Int8Linear, AddsTheResidualInPlaceAndDoesWithoutBias) {
  Layer layer(33, 20, 15);
  layer.bias.assign(layer.bias.size(), 0.0f);
  Call call(6, layer, 16);
  call.residual = Random(17).Floats(6 * 33);
  const std::vector<float> expected = call.Run(kernels(), layer);
  std::vector<float> out = call.residual;
  Int8LinearArgs args = call.Args(layer, out.data());
  args.residual = out.data();
  args.out_stride = 33;
  args.weights.bias = nullptr;
  kernels().int8_linear(args);
  for (int r = 0; r < 6; ++r) {
    for (int n = 0; n < 33; ++n) ASSERT_EQ(out[r * 33 + n], expected[r * 35 + n]) << r << ", " << n;
  }
}

TEST_P(Int8Linear, ShowsRowsThatHoldNoNumbersInAllTheirOutputsAlone) {
  const int inputs = 40;
  const Layer layer(50, inputs, 18);
  std::vector<float> x = Random(19).Floats(4 * inputs);
  x[inputs + 5] = std::nanf("");
  for (int k = 0; k < inputs; ++k) x[2 * inputs + k] = k % 2 == 0 ? 3e38f : -3e38f;
  const Quantized rows = Quantize(kernels(), x, 4, inputs);
  for (Epilogue epilogue : {Epilogue::kNone, Epilogue::kGelu}) {
    std::vector<float> out(4 * 50, kUntouched);
    kernels().int8_linear({.q = rows.q.data(),
                           .q_stride = rows.stride,
                           .scales = rows.scales.data(),
                           .zero_points = rows.zero_points.data(),
                           .weights = layer.weights(),
                           .epilogue = epilogue,
                           .out = out.data(),
                           .out_stride = 50,
                           .rows = 4});
    for (int i = 0; i < 4 * 50; ++i) ASSERT_EQ(std::isnan(out[i]), i / 50 == 1 || i / 50 == 2) << i;
  }
}

// Row and weights quantised together stay as close to the exact product as their steps allow.
TEST_P(Int8Linear, IsCloseToTheProductOfTheNumbersItStandsFor) {
  const int inputs = 384;
  Layer layer(32, inputs, 20);
  const std::vector<float> x = Random(21).Floats(2 * inputs, 3.0f);
  const Quantized rows = Quantize(kernels(), x, 2, inputs);
  std::vector<float> out(2 * 32);
  kernels().int8_linear({.q = rows.q.data(),
                         .q_stride = rows.stride,
                         .scales = rows.scales.data(),
                         .zero_points = rows.zero_points.data(),
                         .weights = layer.weights(),
                         .out = out.data(),
                         .out_stride = 32,
                         .rows = 2});
  for (int r = 0; r < 2; ++r) {
    for (int n = 0; n < 32; ++n) {
      double expected = layer.bias[n];
      double sizes = 0;
      for (int k = 0; k < inputs; ++k) {
        const double w = double{layer.scales[n]} * layer.w[n * inputs + k];
        expected += w * x[r * inputs + k];
        sizes += std::abs(w);
      }
      ASSERT_NEAR(out[r * 32 + n], expected, 0.51 * rows.scales[r] * sizes) << r << ", " << n;
    }
  }
}

}  // namespace
}  // namespace ks
