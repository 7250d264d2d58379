#include "convert/calibrate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/testing/temp_directory.h"
#include "convert/testing/tiny_checkpoint.h"

namespace ks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CalibrateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(WriteTinyCheckpoint(temp_ / "tiny").ok());
    checkpoint_ = *Checkpoint::Open(temp_ / "tiny");
    weights_ = *PackageWeights::Plan(checkpoint_, spec_);
    const char* words[] = {"good", "great", "bad", "awful", "love", "hate", "this", "movie", "not", "the", "is"};
    for (int i = 0; i < 60; ++i) {
      std::string text;
      for (int word = 0; word < 3 + i % 9; ++word) text += std::string(words[(i * 7 + word * word) % 11]) + " ";
      texts_.push_back(text);
    }
  }

  PackedTexts Pack(int max_tokens = 10'000) { return *PackTexts(tokenizer_, texts_, 40, max_tokens); }

  const TempDirectory temp_;
  const ClassifierSpec spec_ = TinySpec();
  const Tokenizer tokenizer_ = *Tokenizer::FromJson(TinyTokenizerJson(), "tokenizer.json");
  Checkpoint checkpoint_;
  PackageWeights weights_;
  std::vector<std::string> texts_;
};

TEST_F(CalibrateTest, QuantisesAllButTheLayersThatAreKept) {
  std::vector<std::string> steps;
  const auto layers = CalibrateLayers(
      spec_, weights_, Pack(),
      {.fp32_layers = {"layer.0.ffn.in"}, .progress = [&](std::string_view layer) { steps.emplace_back(layer); }});
  ASSERT_TRUE(layers.ok()) << layers.status();
  EXPECT_TRUE(layers->calibrated);
  const QuantizedLayers rounded = *RoundLayers(spec_, weights_, {});
  ASSERT_EQ(layers->dense.size(), rounded.dense.size());
  bool migrated = false;
  for (size_t i = 0; i < rounded.dense.size(); ++i) {
    if (i == 2) {
      EXPECT_FALSE(layers->dense[i].has_value());
      continue;
    }
    migrated = migrated || layers->dense[i]->multipliers != rounded.dense[i]->multipliers;
    EXPECT_NE(layers->dense[i]->values, rounded.dense[i]->values) << "layer " << i << " saw no data";
  }
  EXPECT_TRUE(migrated);
  EXPECT_THAT(steps, ElementsAre("layer.0.qkv", "layer.0.attention.output", "layer.0.ffn.in", "layer.0.ffn.out",
                                 "layer.1.qkv", "layer.1.attention.output", "layer.1.ffn.in", "layer.1.ffn.out"));
}

TEST_F(CalibrateTest, GivesTheSameAgain) {
  const auto first = CalibrateLayers(spec_, weights_, Pack(), {});
  const auto second = CalibrateLayers(spec_, weights_, Pack(), {});
  for (size_t i = 0; i < first->dense.size(); ++i) EXPECT_EQ(first->dense[i]->values, second->dense[i]->values);
}

TEST_F(CalibrateTest, RefusesNoTextsAndUnknownLayers) {
  absl::Status status = CalibrateLayers(spec_, weights_, {}, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("expected at least one text, found none"));
  status = CalibrateLayers(spec_, weights_, Pack(), {.fp32_layers = {"pooler"}, .progress = nullptr}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("found pooler"));
}

TEST_F(CalibrateTest, PacksTextsUntilTheTokensAreFull) {
  const PackedTexts all = Pack();
  EXPECT_EQ(all.sequences(), 60);
  EXPECT_EQ(all.offsets.back(), static_cast<int>(all.ids.size()));
  EXPECT_EQ(all.type_ids.size(), all.ids.size());
  const PackedTexts some = Pack(100);
  EXPECT_LT(some.sequences(), 60);
  EXPECT_LE(some.ids.size(), 100u);
  EXPECT_GT(some.ids.size(), 80u);
}

}  // namespace
}  // namespace ks
