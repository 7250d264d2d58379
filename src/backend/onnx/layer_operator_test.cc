#include "backend/onnx/layer_operator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "backend/onnx/encoder_layer_testing.h"
#include "backend/onnx/operators_testing.h"

namespace ks {
namespace {

using ::testing::HasSubstr;

constexpr int kHidden = 32, kInner = 50, kHeads = 4;

struct Attributes {
  int64_t hidden = kHidden, inner = kInner, heads = kHeads, first_tokens = 0;
};

void AddDense(const RandomDense& dense, OneNode& node) {
  const auto* const bytes = reinterpret_cast<const uint8_t*>(dense.packed.data());
  const std::vector<uint8_t> packed(bytes, bytes + dense.packed.size() * sizeof(dense.packed[0]));
  const auto size = [](const auto& values) { return std::vector{static_cast<int64_t>(values.size())}; };
  node.Weight<uint8_t>(size(packed), packed).Weight<float>(size(dense.scales), dense.scales);
  node.Weight<int32_t>(size(dense.column_sums), dense.column_sums).Weight<float>(size(dense.bias), dense.bias);
  node.Weight<float>(size(dense.multipliers), dense.multipliers);
}

void AddNorms(const RandomLayer& layer, size_t first, OneNode& node) {
  for (const size_t i : {first, first + 1}) {
    const auto begin = layer.norms.begin() + static_cast<int64_t>(i) * kHidden;
    node.Weight<float>({kHidden}, std::vector<float>(begin, begin + kHidden));
  }
}

OneNode Node(const RandomLayer& layer, const std::vector<float>& x, const std::vector<int32_t>& offsets,
             const Attributes& attributes = {}) {
  OneNode node("EncoderLayer");
  node.Int("hidden", attributes.hidden).Int("inner", attributes.inner).Int("heads", attributes.heads);
  node.Int("first_tokens", attributes.first_tokens).Float("epsilon", 1e-12f);
  node.Input<float>({static_cast<int64_t>(x.size()) / kHidden, kHidden}, x);
  node.Input<int32_t>({static_cast<int64_t>(offsets.size())}, offsets);
  AddDense(layer.qkv, node);
  AddDense(layer.attention_output, node);
  AddNorms(layer, 0, node);
  AddDense(layer.ffn_in, node);
  AddDense(layer.ffn_out, node);
  AddNorms(layer, 2, node);
  return node;
}

TEST(EncoderLayerOperator, GivesTheKernelsBitsEverywhere) {
  const RandomLayer layer(kHidden, kInner, kHeads);
  for (const std::vector<int>& lengths : {std::vector{1}, {5, 30}, {90, 1, 50}}) {
    const std::vector<int32_t> offsets = OffsetsOf(lengths);
    const std::vector<float> x = Random(2).Floats(static_cast<size_t>(offsets.back()) * kHidden);
    for (const bool first_tokens : {false, true}) {
      const std::vector<float> expected = layer.Expected(Kernels(IsaLevel::kScalar), x, offsets, first_tokens);
      OneNode node = Node(layer, x, offsets, {.first_tokens = first_tokens});
      for (const IsaLevel isa : SupportedIsas()) {
        for (const int team : {1, 3}) {
          const auto found = node.Run({.team = team, .isa = isa});
          ASSERT_TRUE(found.ok()) << found.status();
          EXPECT_EQ(DifferentBits(*found, expected), 0u) << IsaName(isa) << ", " << team << " members";
        }
      }
    }
  }
}

void ExpectError(const absl::StatusOr<std::vector<float>>& result, const std::string& part) {
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInternal) << result.status();
  EXPECT_THAT(std::string(result.status().message()), HasSubstr(part));
}

TEST(EncoderLayerOperator, RefusesAttributesThatDoNotFit) {
  const RandomLayer layer(kHidden, kInner, kHeads);
  const std::vector<float> x(kHidden);
  for (const auto& [attributes, message] :
       {std::pair(Attributes{.hidden = 40}, "hidden is 40, expected a multiple of 16"),
        {Attributes{.hidden = 48}, "packed has shape [3072], expected [6912]"},
        {Attributes{.hidden = 0}, "hidden is 0, expected 1 to"},
        {Attributes{.inner = 33}, "packed has shape [2048], expected [1536]"},
        {Attributes{.heads = 5}, "hidden is 32, expected a multiple of 5 heads"},
        {Attributes{.heads = 33}, "heads is 33, expected 1 to 32"},
        {Attributes{.first_tokens = 2}, "first_tokens is 2, expected 0 to 1"}}) {
    const auto result = Node(layer, x, {0, 1}, attributes).Run({});
    ExpectError(result, message);
    ExpectError(result, "node tested");
  }
}

TEST(EncoderLayerOperator, RefusesOffsetsThatDoNotFit) {
  const RandomLayer layer(kHidden, kInner, kHeads);
  ExpectError(Node(layer, std::vector<float>(kHidden), {0, 2}).Run({}), "the offsets end at 2, expected the 1 rows");
}

TEST(EncoderLayerOperator, TakesNoRows) {
  const auto found = Node(RandomLayer(kHidden, kInner, kHeads), {}, {0}).Run({.team = 2});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE(found->empty());
}

}  // namespace
}  // namespace ks
