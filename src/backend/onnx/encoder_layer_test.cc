#include "backend/onnx/encoder_layer.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "backend/onnx/encoder_layer_testing.h"
#include "backend/onnx/layer_shares.h"
#include "base/thread.h"
#include "kernels/isa_test.h"

namespace ks {
namespace {

constexpr LayerPlan kPlans[] = {LayerPlan::kRows, LayerPlan::kColumns};

std::vector<float> Compute(const KernelTable& kernels, const RandomLayer& layer, const std::vector<float>& x,
                           const std::vector<int32_t>& offsets, bool first_tokens, LayerPlan plan, Team& team) {
  const LayerWeights weights = layer.weights(first_tokens);
  const int sequences = static_cast<int>(offsets.size()) - 1;
  const int rows = first_tokens ? sequences : offsets.back();
  std::vector<float> out(static_cast<size_t>(rows) * weights.hidden());
  RunLayers(kernels, {&weights, 1},
            {.x = x.data(), .offsets = offsets.data(), .sequences = sequences, .out = out.data()}, plan, team);
  return out;
}

// Both plans, with and without first tokens alone, by teams of 1 to `members`.
void ExpectTheKernelsBits(const KernelTable& kernels, const RandomLayer& layer, const std::vector<int32_t>& offsets,
                          int members) {
  const std::vector<float> x =
      Random(7).Floats(static_cast<size_t>(offsets.back()) * layer.weights(false).hidden(), 2.0f);
  for (const bool first_tokens : {false, true}) {
    const std::vector<float> expected = layer.Expected(kernels, x, offsets, first_tokens);
    for (int size = 1; size <= members; ++size) {
      Team team(size);
      for (const LayerPlan plan : kPlans) {
        const std::vector<float> found = Compute(kernels, layer, x, offsets, first_tokens, plan, team);
        EXPECT_EQ(DifferentBits(found, expected), 0u)
            << offsets.size() - 1 << " sequences, " << offsets.back() << " tokens, " << size << " members, "
            << (plan == LayerPlan::kRows ? "rows" : "columns") << (first_tokens ? ", first tokens" : "");
      }
    }
  }
}

class EncoderLayerRun : public IsaTest {};
INSTANTIATE_TEST_SUITE_P(Isas, EncoderLayerRun, testing::ValuesIn(SupportedIsas()), IsaTestName);

TEST_P(EncoderLayerRun, GivesTheKernelsBitsForOneText) {
  const RandomLayer layer(64, 128, 4);
  for (const int tokens : {1, 2, 7, 16, 33, 64, 65, 131}) {
    ExpectTheKernelsBits(kernels(), layer, OffsetsOf(std::vector{tokens}), 4);
  }
}

TEST_P(EncoderLayerRun, GivesTheKernelsBitsForRaggedBatches) {
  const RandomLayer layer(64, 128, 4);
  for (const std::vector<int>& lengths : {std::vector{1, 1, 1}, {3, 40, 1, 17}, {70, 2, 2, 2, 90, 31, 1, 64}}) {
    ExpectTheKernelsBits(kernels(), layer, OffsetsOf(lengths), 4);
  }
  // More first tokens than one block has.
  ExpectTheKernelsBits(kernels(), layer, OffsetsOf(std::vector<int>(150, 2)), 3);
  // As many as one block has, of tokens whose blocks are shorter.
  std::vector<int> lengths(64, 2);
  lengths.back() = 4;
  ExpectTheKernelsBits(kernels(), layer, OffsetsOf(lengths), 2);
}

// Heads that cut no block of 16 columns, more heads than members and fewer, panels and none, and a feed-forward that is
// padded.
TEST_P(EncoderLayerRun, GivesTheKernelsBitsInOddShapes) {
  ExpectTheKernelsBits(kernels(), RandomLayer(32, 50, 4), OffsetsOf(std::vector{9, 21, 5}), 4);
  ExpectTheKernelsBits(kernels(), RandomLayer(48, 18, 1), OffsetsOf(std::vector{30}), 4);
  ExpectTheKernelsBits(kernels(), RandomLayer(192, 288, 6), OffsetsOf(std::vector{12, 3}), 4);
  ExpectTheKernelsBits(kernels(), RandomLayer(16, 3, 2), OffsetsOf(std::vector{4, 1}), 4);
}

TEST_P(EncoderLayerRun, GivesTheReferencesBits) {
  const RandomLayer layer(48, 96, 3);
  const std::vector<int32_t> offsets = OffsetsOf(std::vector{20, 5});
  const std::vector<float> x = Random(8).Floats(size_t{25} * 48);
  Team team(2);
  for (const bool first_tokens : {false, true}) {
    EXPECT_EQ(DifferentBits(Compute(kernels(), layer, x, offsets, first_tokens, LayerPlan::kColumns, team),
                            layer.Expected(reference(), x, offsets, first_tokens)),
              0u);
  }
}

// Each layer after the first works on what the one before left, in both plans, with more rows than a block and fewer.
TEST_P(EncoderLayerRun, GivesTheKernelsBitsOfSeveralLayers) {
  const RandomLayer layers[] = {{64, 128, 4, 1}, {64, 128, 4, 2}, {64, 128, 4, 3}};
  for (const std::vector<int>& lengths : {std::vector{1}, {7, 30}, {70, 2, 90, 31}, std::vector<int>(150, 2)}) {
    const std::vector<int32_t> offsets = OffsetsOf(lengths);
    const std::vector<float> x = Random(7).Floats(static_cast<size_t>(offsets.back()) * 64, 2.0f);
    for (const bool first_tokens : {false, true}) {
      std::vector<float> expected = x;
      std::vector<LayerWeights> weights;
      for (const RandomLayer& layer : layers) {
        const bool only_first = first_tokens && &layer == &layers[2];
        expected = layer.Expected(kernels(), expected, offsets, only_first);
        weights.push_back(layer.weights(only_first));
      }
      for (const int members : {1, 2, 3, 4}) {
        Team team(members);
        for (const LayerPlan plan : kPlans) {
          for (int pass = 0; pass < 3; ++pass) {
            std::vector<float> found(expected.size());
            RunLayers(kernels(), weights,
                      {.x = x.data(),
                       .offsets = offsets.data(),
                       .sequences = static_cast<int>(lengths.size()),
                       .out = found.data()},
                      plan, team);
            EXPECT_EQ(DifferentBits(found, expected), 0u)
                << offsets.back() << " tokens, " << members << " members, "
                << (plan == LayerPlan::kRows ? "rows" : "columns") << (first_tokens ? ", first tokens" : "");
          }
        }
      }
    }
  }
}

// Memory that one run left is another's, of another shape.
TEST(EncoderLayerRun, DoesNotSeeWhatEarlierRunsLeft) {
  const RandomLayer small(32, 64, 2), large(96, 192, 3);
  const auto run = [](const RandomLayer& layer, int tokens) {
    ExpectTheKernelsBits(BestKernels(), layer, OffsetsOf(std::vector{tokens, 3}), 2);
  };
  for (int pass = 0; pass < 2; ++pass) {
    run(large, 100);
    run(small, 5);
    run(small, 200);
  }
}

TEST(EncoderLayerRun, SharesALayerBetweenThreadsWithoutATeam) {
  const RandomLayer layer(64, 128, 4);
  Team alone(1);
  std::vector<std::unique_ptr<Thread>> threads;
  for (int t = 0; t < 3; ++t) {
    threads.push_back(std::make_unique<Thread>("caller", [&layer, &alone, t] {
      const std::vector<int32_t> offsets = OffsetsOf(std::vector{10 + 30 * t, 4});
      const std::vector<float> x = Random(t).Floats(static_cast<size_t>(offsets.back()) * 64);
      const std::vector<float> expected = layer.Expected(BestKernels(), x, offsets, false);
      for (int run = 0; run < 20; ++run) {
        EXPECT_EQ(DifferentBits(Compute(BestKernels(), layer, x, offsets, false, LayerPlan::kRows, alone), expected),
                  0u);
      }
    }));
  }
}

TEST(FasterPlan, CutsColumnsForFewRowsAndNeverAlone) {
  for (const IsaLevel isa : {IsaLevel::kScalar, IsaLevel::kAvx512Vnni, IsaLevel::kAvx512Amx}) {
    EXPECT_EQ(FasterPlan(isa, 768, 1, 1), LayerPlan::kRows);
    EXPECT_EQ(FasterPlan(isa, 768, 1, 2), LayerPlan::kColumns);
    EXPECT_EQ(FasterPlan(isa, 768, 16, 2), LayerPlan::kColumns);
    EXPECT_EQ(FasterPlan(isa, 768, 64, 8), LayerPlan::kColumns);
    EXPECT_EQ(FasterPlan(isa, 768, 128, 2), LayerPlan::kRows);
  }
  EXPECT_EQ(FasterPlan(IsaLevel::kAvx512Amx, 768, 64, 2), LayerPlan::kColumns);
  EXPECT_EQ(FasterPlan(IsaLevel::kAvx512Amx, 768, 65, 2), LayerPlan::kColumns);
  EXPECT_EQ(FasterPlan(IsaLevel::kAvx512Amx, 768, 66, 2), LayerPlan::kRows);
  EXPECT_EQ(FasterPlan(IsaLevel::kAvx512Amx, 384, 35, 2), LayerPlan::kColumns);
  EXPECT_EQ(FasterPlan(IsaLevel::kAvx512Amx, 384, 36, 2), LayerPlan::kRows);
  EXPECT_EQ(FasterPlan(IsaLevel::kAvx512Amx, 384, 64, 2), LayerPlan::kRows);
  EXPECT_EQ(FasterPlan(IsaLevel::kAvx512Vnni, 768, 64, 2), LayerPlan::kRows);
  EXPECT_EQ(FasterPlan(IsaLevel::kAvx512Vnni, 384, 25, 2), LayerPlan::kColumns);
  EXPECT_EQ(FasterPlan(IsaLevel::kAvx512Vnni, 384, 26, 2), LayerPlan::kRows);
  EXPECT_EQ(FasterPlan(IsaLevel::kAvx2, 384, 15, 2), LayerPlan::kColumns);
  EXPECT_EQ(FasterPlan(IsaLevel::kAvx2, 384, 16, 2), LayerPlan::kRows);
}

TEST(Blocks, ShareOutTheRowsOfOneRound) {
  const auto lengths = [](int rows, int members, IsaLevel isa) {
    const Blocks blocks(rows, members, isa);
    std::vector<int> found;
    for (int i = 0; i < blocks.count(); ++i) found.push_back(blocks[i].size());
    return found;
  };
  EXPECT_EQ(lengths(27, 2, IsaLevel::kAvx2), (std::vector{14, 13}));
  EXPECT_EQ(lengths(27, 2, IsaLevel::kAvx512Vnni), (std::vector{14, 13}));
  EXPECT_EQ(lengths(34, 2, IsaLevel::kAvx512Vnni), (std::vector{18, 16}));
  EXPECT_EQ(lengths(34, 2, IsaLevel::kAvx512Amx), (std::vector{20, 14}));
  EXPECT_EQ(lengths(34, 1, IsaLevel::kAvx512Vnni), (std::vector{34}));
  EXPECT_EQ(lengths(130, 2, IsaLevel::kAvx2), (std::vector{36, 36, 36, 22}));
  EXPECT_EQ(lengths(70, 1, IsaLevel::kAvx512Vnni), (std::vector{36, 34}));
  EXPECT_EQ(lengths(130, 2, IsaLevel::kAvx512Amx), (std::vector{68, 62}));
  EXPECT_EQ(lengths(192, 1, IsaLevel::kAvx512Amx), (std::vector{192}));
  EXPECT_EQ(lengths(196, 1, IsaLevel::kAvx512Amx), (std::vector{100, 96}));
  EXPECT_EQ(lengths(1, 4, IsaLevel::kScalar), (std::vector{1}));
}

}  // namespace
}  // namespace ks
