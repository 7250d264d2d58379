#include "kernels/linear.h"

#include <cmath>
#include <cstring>

#include "kernels/isa_test.h"

namespace ks {
namespace {

constexpr float kUntouched = -777.0f;

struct Layer {
  Layer(int rows_in, int inputs_in, int outputs_in, uint64_t seed)
      : rows(rows_in), inputs(inputs_in), outputs(outputs_in) {
    Random random(seed);
    x = random.Floats(static_cast<size_t>(rows) * inputs);
    weight = random.Floats(static_cast<size_t>(outputs) * inputs, 1.0f / std::sqrt(static_cast<float>(inputs)));
    bias = random.Floats(outputs);
  }

  LinearArgs Args(float* out) const {
    return {.x = x.data(),
            .x_stride = static_cast<size_t>(inputs),
            .weight = weight.data(),
            .bias = bias.data(),
            .out = out,
            .out_stride = static_cast<size_t>(outputs),
            .rows = rows,
            .inputs = inputs,
            .outputs = outputs};
  }

  std::vector<float> Run(const KernelTable& kernels) const {
    std::vector<float> out(static_cast<size_t>(rows) * outputs, kUntouched);
    kernels.linear(Args(out.data()));
    return out;
  }

  int rows, inputs, outputs;
  std::vector<float> x, weight, bias;
};

class Linear : public TableTest {};
INSTANTIATE_TEST_SUITE_P(Isas, Linear, testing::ValuesIn(TestedTables()), TableTestName);

TEST_P(Linear, FollowsTheDefinition) {
  for (int inputs : {1, 15, 16, 17, 100, 384}) {
    const Layer layer(5, inputs, 23, 1);
    const std::vector<float> out = layer.Run(kernels());
    for (int r = 0; r < layer.rows; ++r) {
      for (int n = 0; n < layer.outputs; ++n) {
        double expected = layer.bias[n];
        for (int k = 0; k < inputs; ++k) expected += double{layer.x[r * inputs + k]} * layer.weight[n * inputs + k];
        ASSERT_NEAR(out[r * layer.outputs + n], expected, 1e-5) << inputs << " inputs, row " << r << ", output " << n;
      }
    }
  }
}

// The order of summation is part of the contract: written out here once more, apart from the kernel.
TEST_P(Linear, SumsSixteenLanesInOneTree) {
  const Layer layer(1, 70, 1, 2);
  float lanes[16] = {};
  for (int k = 0; k < 80; ++k) {
    const bool inside = k < layer.inputs;
    lanes[k % 16] = std::fma(inside ? layer.x[k] : 0.0f, inside ? layer.weight[k] : 0.0f, lanes[k % 16]);
  }
  for (int half : {8, 4, 2, 1}) {
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  EXPECT_EQ(layer.Run(kernels())[0], lanes[0] + layer.bias[0]);
}

TEST_P(Linear, GivesTheBitsOfTheScalarKernel) {
  for (int rows : {1, 3, 4, 7, 65, 70}) {
    const Layer layer(rows, 50, 13, 3);
    EXPECT_EQ(DifferentBits(layer.Run(kernels()), layer.Run(reference())), 0u) << rows << " rows";
  }
}

TEST_P(Linear, GivesTheSameBitsAloneAndInAnyBatch) {
  const Layer layer(67, 96, 20, 4);
  const std::vector<float> together = layer.Run(kernels());
  for (int r = 0; r < layer.rows; ++r) {
    std::vector<float> alone(layer.outputs, kUntouched);
    LinearArgs args = layer.Args(alone.data());
    args.x += static_cast<size_t>(r) * layer.inputs;
    args.rows = 1;
    kernels().linear(args);
    const auto begin = together.begin() + static_cast<ptrdiff_t>(r) * layer.outputs;
    EXPECT_EQ(DifferentBits(alone, std::vector<float>(begin, begin + layer.outputs)), 0u) << "row " << r;
  }
}

TEST_P(Linear, TakesStridesAndNoBias) {
  Layer layer(6, 32, 9, 5);
  layer.bias.assign(layer.outputs, 0.0f);
  const std::vector<float> expected = layer.Run(kernels());
  std::vector<float> wide(static_cast<size_t>(layer.rows) * 40, std::nanf(""));
  for (int r = 0; r < layer.rows; ++r) {
    for (int k = 0; k < layer.inputs; ++k) wide[r * 40 + k] = layer.x[r * layer.inputs + k];
  }
  std::vector<float> out(static_cast<size_t>(layer.rows) * 12, kUntouched);
  LinearArgs args = layer.Args(out.data());
  args.x = wide.data();
  args.x_stride = 40;
  args.out_stride = 12;
  args.bias = nullptr;
  kernels().linear(args);
  for (int r = 0; r < layer.rows; ++r) {
    for (int n = 0; n < 12; ++n) {
      ASSERT_EQ(out[r * 12 + n], n < layer.outputs ? expected[r * layer.outputs + n] : kUntouched) << r << ", " << n;
    }
  }
}

TEST_P(Linear, TakesWeightsFromAnyAddress) {
  const Layer layer(3, 40, 9, 7);
  std::vector<char> bytes((layer.weight.size() + layer.bias.size()) * sizeof(float) + 1);
  char* const weight = bytes.data() + 1;
  char* const bias = weight + layer.weight.size() * sizeof(float);
  std::memcpy(weight, layer.weight.data(), layer.weight.size() * sizeof(float));
  std::memcpy(bias, layer.bias.data(), layer.bias.size() * sizeof(float));
  std::vector<float> out(static_cast<size_t>(layer.rows) * layer.outputs);
  LinearArgs args = layer.Args(out.data());
  args.weight = reinterpret_cast<const float*>(weight);
  args.bias = reinterpret_cast<const float*>(bias);
  args.out_stride = static_cast<size_t>(layer.outputs);
  kernels().linear(args);
  EXPECT_EQ(DifferentBits(out, layer.Run(reference())), 0u);
}

TEST_P(Linear, KeepsDenormals) {
  Layer layer(1, 16, 1, 6);
  layer.x.assign(16, 0.0f);
  layer.x[3] = 0x1p-130f;
  layer.weight.assign(16, 0.5f);
  layer.bias[0] = 0.0f;
  EXPECT_EQ(layer.Run(kernels())[0], 0x1p-131f);
}

}  // namespace
}  // namespace ks
