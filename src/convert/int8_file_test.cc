#include "convert/int8_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/testing/temp_directory.h"
#include "convert/testing/tiny_checkpoint.h"

namespace ks {
namespace {

using ::testing::HasSubstr;

// A tiny checkpoint, its rounded layers and int8.bin in memory.
class Int8FileTest : public ::testing::TestWithParam<Architecture> {
 protected:
  void SetUp() override {
    const TinyCheckpointOptions options = {.architecture = GetParam()};
    spec_ = TinySpec(options);
    ASSERT_TRUE(WriteTinyCheckpoint(temp_ / "tiny", options).ok());
    checkpoint_ = *Checkpoint::Open(temp_ / "tiny");
    weights_ = *PackageWeights::Plan(checkpoint_, spec_);
    for (const TensorSpec& tensor : ExpectedTensors(spec_)) floats_[tensor.name] = *weights_.Read(tensor.name);
  }

  void Write(const std::vector<std::string>& fp32_layers = {}) {
    layers_ = *RoundLayers(spec_, weights_, fp32_layers);
    const Int8File file = Int8File::Plan(spec_, weights_, layers_);
    placement_ = file.Placement("int8.bin");
    size_ = 0;
    ASSERT_TRUE(file.Write([&](std::span<const std::byte> bytes) {
                      lines_.resize((size_ + bytes.size() + 63) / 64);
                      std::memcpy(data() + size_, bytes.data(), bytes.size());
                      size_ += bytes.size();
                      return absl::OkStatus();
                    })
                    .ok());
  }

  std::byte* data() { return reinterpret_cast<std::byte*>(lines_.data()); }
  std::span<const std::byte> bytes() { return {data(), size_}; }

  std::vector<float> Logits(EncoderWeights weights) {
    const std::vector<int32_t> ids = {2, 40, 7, 19, 55, 41, 30, 3, 2, 9, 3};
    const std::vector<int32_t> offsets = {0, 8, 11};
    const auto logits = RunEncoder(spec_, weights, {.input_ids = ids, .offsets = offsets, .token_type_ids = {}});
    EXPECT_TRUE(logits.ok()) << logits.status();
    return logits->values;
  }

  std::vector<float> Fp32Logits() {
    return Logits(*Fp32EncoderWeights(
        spec_, [this](std::string_view name) { return std::span<const float>(floats_.at(std::string(name))); }));
  }

  struct alignas(64) Line {
    std::byte bytes[64];
  };

  const TempDirectory temp_;
  ClassifierSpec spec_;
  Checkpoint checkpoint_;
  PackageWeights weights_;
  std::map<std::string, std::vector<float>> floats_;
  QuantizedLayers layers_;
  TensorPlacement placement_;
  std::vector<Line> lines_;
  size_t size_ = 0;
};

TEST_P(Int8FileTest, HoldsTheModelNearly) {
  Write();
  const auto weights = ReadInt8Weights(spec_, bytes(), "int8.bin");
  ASSERT_TRUE(weights.ok()) << weights.status();
  const std::vector<float> expected = Fp32Logits();
  const std::vector<float> logits = Logits(*weights);
  EXPECT_NE(logits, expected) << "nothing was quantised";
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(logits[i], expected[i], 0.05f) << i;
}

// The tiny weights and embeddings are exact in float16: what stays in fp32 is the model itself.
TEST_P(Int8FileTest, HoldsTheModelExactlyWhereEveryLayerIsKept) {
  std::vector<std::string> all;
  for (const DenseLayer& layer : DenseLayers(spec_)) all.push_back(layer.name);
  Write(all);
  EXPECT_EQ(Logits(*ReadInt8Weights(spec_, bytes(), "int8.bin")), Fp32Logits());
}

TEST_P(Int8FileTest, SuitsTheGraph) {
  Write({"layer.1.ffn.in"});
  const absl::StatusOr<std::string> graph = EmitInt8Graph(spec_, placement_);
  EXPECT_TRUE(graph.ok()) << graph.status();
  for (const auto& [name, place] : placement_) {
    EXPECT_TRUE(!name.ends_with(".packed") || place.offset % 64 == 0) << name;
  }
}

TEST_P(Int8FileTest, NamesTheTensorThatIsNotAsTheModelAsks) {
  Write();
  const auto expect_error = [&](const ClassifierSpec& spec, const std::string& part) {
    const absl::Status status = ReadInt8Weights(spec, bytes(), "int8.bin").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(part));
  };
  ClassifierSpec other = spec_;
  other.encoder.intermediate_size = 60;
  expect_error(other, "int8.bin: layer.0.ffn.out.packed: expected 1920 elements of U8, found 2048 of U8");
  other = spec_;
  other.encoder.layers = 3;
  expect_error(other, "int8.bin: layer.2.qkv.packed: missing");
  other = spec_;
  other.encoder.vocab_size += 1;
  expect_error(other, "_embeddings.weight: expected");
  size_ -= 1;
  expect_error(spec_, "int8.bin: ");
}

INSTANTIATE_TEST_SUITE_P(Architectures, Int8FileTest, ::testing::Values(Architecture::kBert, Architecture::kDistilBert),
                         [](const auto& instance) { return std::string(ArchitectureName(instance.param)); });

}  // namespace
}  // namespace ks
