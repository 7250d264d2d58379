#include "backend/onnx/layer_operator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <span>
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

using Layers = std::vector<std::unique_ptr<RandomLayer>>;

Layers RandomLayers(int count) {
  Layers layers;
  for (int i = 0; i < count; ++i) layers.push_back(std::make_unique<RandomLayer>(kHidden, kInner, kHeads, i + 1));
  return layers;
}

// Tensors end to end, each on a cache line.
struct Weights {
  explicit Weights(const Layers& layers) {
    for (const auto& layer : layers) {
      Add(layer->qkv);
      Add(layer->attention_output);
      AddNorm(*layer, 0);
      Add(layer->ffn_in);
      Add(layer->ffn_out);
      AddNorm(*layer, 2);
    }
  }

  template <typename T>
  void Add(std::span<const T> values) {
    bytes.resize((bytes.size() + 63) / 64 * 64);
    begins.push_back(static_cast<int64_t>(bytes.size()));
    const auto* const first = reinterpret_cast<const uint8_t*>(values.data());
    bytes.insert(bytes.end(), first, first + values.size_bytes());
  }
  void Add(const RandomDense& dense) {
    Add(std::span(dense.packed));
    Add(std::span(dense.scales));
    Add(std::span(dense.column_sums));
    Add(std::span(dense.bias));
    Add(std::span(dense.multipliers));
  }
  void AddNorm(const RandomLayer& layer, size_t first) {
    for (const size_t i : {first, first + 1}) Add(std::span(layer.norms).subspan(i * kHidden, kHidden));
  }

  std::vector<uint8_t> bytes;
  std::vector<int64_t> begins;
};

OneNode Node(const Weights& weights, const std::vector<float>& x, const std::vector<int32_t>& offsets,
             const Attributes& attributes = {}) {
  OneNode node("EncoderLayers");
  node.Int("hidden", attributes.hidden).Int("inner", attributes.inner).Int("heads", attributes.heads);
  node.Int("first_tokens", attributes.first_tokens).Float("epsilon", 1e-12f).Ints("begins", weights.begins);
  node.Input<float>({static_cast<int64_t>(x.size()) / kHidden, kHidden}, x);
  node.Input<int32_t>({static_cast<int64_t>(offsets.size())}, offsets);
  node.Weight<uint8_t>({static_cast<int64_t>(weights.bytes.size())}, weights.bytes);
  return node;
}

TEST(EncoderLayersOperator, GivesTheKernelsBitsEverywhere) {
  for (const int count : {1, 3}) {
    const Layers layers = RandomLayers(count);
    const Weights weights(layers);
    for (const std::vector<int>& lengths : {std::vector{1}, {5, 30}, {90, 1, 50}}) {
      const std::vector<int32_t> offsets = OffsetsOf(lengths);
      const std::vector<float> x = Random(2).Floats(static_cast<size_t>(offsets.back()) * kHidden);
      for (const bool first_tokens : {false, true}) {
        std::vector<float> expected = x;
        for (int i = 0; i < count; ++i) {
          expected = layers[i]->Expected(Kernels(IsaLevel::kScalar), expected, offsets, first_tokens && i + 1 == count);
        }
        OneNode node = Node(weights, x, offsets, {.first_tokens = first_tokens});
        for (const IsaLevel isa : SupportedIsas()) {
          for (const int team : {1, 3}) {
            const auto found = node.Run({.team = team, .isa = isa});
            ASSERT_TRUE(found.ok()) << found.status();
            EXPECT_EQ(DifferentBits(*found, expected), 0u)
                << IsaName(isa) << ", " << team << " members, " << count << " layers";
          }
        }
      }
    }
  }
}

void ExpectError(const absl::StatusOr<std::vector<float>>& result, const std::string& part) {
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInternal) << result.status();
  EXPECT_THAT(std::string(result.status().message()), HasSubstr(part));
}

TEST(EncoderLayersOperator, RefusesAttributesThatDoNotFit) {
  const Weights weights(RandomLayers(1));
  const std::vector<float> x(kHidden);
  for (const auto& [attributes, message] :
       {std::pair(Attributes{.hidden = 40}, "hidden is 40, expected a multiple of 16"),
        {Attributes{.hidden = 48}, "beta lies at 11520 and has 192 bytes, outside the 11648 of the weights"},
        {Attributes{.hidden = 0}, "hidden is 0, expected 1 to"},
        {Attributes{.inner = 65}, "a tensor reaches from 6144 to 8704 and another begins at 8192"},
        {Attributes{.heads = 5}, "hidden is 32, expected a multiple of 5 heads"},
        {Attributes{.heads = 33}, "heads is 33, expected 1 to 32"},
        {Attributes{.first_tokens = 2}, "first_tokens is 2, expected 0 to 1"}}) {
    const auto result = Node(weights, x, {0, 1}, attributes).Run({});
    ExpectError(result, message);
    ExpectError(result, "node tested");
  }
}

TEST(EncoderLayersOperator, RefusesTensorsThatLieElsewhere) {
  const Weights good(RandomLayers(2));
  const std::vector<float> x(kHidden);
  const auto run = [&](auto change) {
    Weights weights = good;
    change(weights);
    return Node(weights, x, {0, 1}).Run({});
  };
  ASSERT_TRUE(run([](Weights&) {}).ok());
  const std::string size = Cat(good.bytes.size());
  ExpectError(run([](Weights& weights) { weights.begins.clear(); }),
              "begins has 0 numbers, expected 24 for each layer");
  ExpectError(run([](Weights& weights) { weights.begins.pop_back(); }), "begins has 47 numbers, expected 24");
  ExpectError(run([](Weights& weights) { weights.begins[5] += 4; }), "packed lies at");
  ExpectError(run([](Weights& weights) { weights.begins[5] += 4; }), "which is on no boundary of 64 bytes");
  ExpectError(run([](Weights& weights) { weights.begins[1] += 2; }), "which is on no boundary of 4 bytes");
  ExpectError(run([](Weights& weights) { weights.begins[3] = -64; }),
              "bias lies at -64 and has 384 bytes, outside the " + size);
  ExpectError(run([](Weights& weights) { weights.begins[47] += 64; }), "beta lies at");
  ExpectError(run([](Weights& weights) { weights.begins[47] = INT64_MAX - 3; }), "outside the " + size);
  ExpectError(run([](Weights& weights) { weights.bytes.pop_back(); }), "beta lies at");
  ExpectError(run([](Weights& weights) { weights.begins[24] = weights.begins[0]; }), "and another begins at 0");
}

TEST(EncoderLayersOperator, RefusesOffsetsThatDoNotFit) {
  ExpectError(Node(Weights(RandomLayers(1)), std::vector<float>(kHidden), {0, 2}).Run({}),
              "the offsets end at 2, expected the 1 rows");
}

TEST(EncoderLayersOperator, TakesNoRows) {
  const auto found = Node(Weights(RandomLayers(2)), {}, {0}).Run({.team = 2});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE(found->empty());
}

}  // namespace
}  // namespace ks
