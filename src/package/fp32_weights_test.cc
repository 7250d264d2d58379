#include "package/fp32_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "base/testing/temp_directory.h"
#include "checkpoint/safetensors.h"
#include "model/weights.h"

namespace ks {
namespace {

using ::testing::HasSubstr;

ClassifierSpec SmallSpec() {
  ClassifierSpec spec;
  spec.encoder = {.vocab_size = 6,
                  .hidden_size = 4,
                  .intermediate_size = 8,
                  .layers = 1,
                  .heads = 2,
                  .max_positions = 5,
                  .type_vocab_size = 2};
  spec.labels = {"NO", "YES"};
  return spec;
}

class Fp32WeightsTest : public ::testing::Test {
 protected:
  // Every tensor of SmallSpec, its elements numbered through from 0, after `change` was let loose on their descriptions.
  absl::StatusOr<Fp32Weights> Open(const std::function<void(std::vector<TensorDescription>&)>& change = {}) {
    std::vector<TensorDescription> tensors;
    for (const TensorSpec& tensor : ExpectedTensors(SmallSpec())) {
      tensors.push_back({.name = tensor.name, .dtype = DType::kF32, .shape = tensor.shape});
    }
    if (change) change(tensors);
    const SafetensorsPlan plan = PlanSafetensors(tensors);
    std::ofstream file(directory_ / kCheckpointFile, std::ios::binary);
    file << plan.header;
    for (const TensorPlace& place : plan.places) {
      std::vector<float> values((place.bytes + 3) / 4);
      std::iota(values.begin(), values.end(), 0.0f);
      file.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(place.bytes));
    }
    file.close();
    return Fp32Weights::Open(directory_.path(), SmallSpec());
  }

  void ExpectDamaged(const std::function<void(std::vector<TensorDescription>&)>& change, const std::string& part) {
    const absl::Status status = Open(change).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr((directory_ / kCheckpointFile).string()));
    EXPECT_THAT(std::string(status.message()), HasSubstr(part));
  }

  const TempDirectory directory_;
};

constexpr char kBias[] = "bert.encoder.layer.0.intermediate.dense.bias";

TensorDescription& Named(std::vector<TensorDescription>& tensors, std::string_view name) {
  return *std::ranges::find(tensors, name, &TensorDescription::name);
}

TEST_F(Fp32WeightsTest, GivesTheValuesInPlace) {
  const absl::StatusOr<Fp32Weights> weights = Open();
  ASSERT_TRUE(weights.ok()) << weights.status();
  const std::span<const float> bias = weights->Values(kBias);
  EXPECT_EQ(std::vector<float>(bias.begin(), bias.end()), (std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_TRUE(weights->Values("another").empty());
}

TEST_F(Fp32WeightsTest, NamesWhatContradictsTheModel) {
  ExpectDamaged([](auto& tensors) { Named(tensors, kBias).name = "other"; }, "intermediate.dense.bias is missing");
  ExpectDamaged([](auto& tensors) { Named(tensors, kBias).shape = {4, 2}; },
                "intermediate.dense.bias: expected shape [8], found [4, 2]");
  ExpectDamaged([](auto& tensors) { Named(tensors, kBias).dtype = DType::kF16; },
                "intermediate.dense.bias: expected dtype F32, found F16");
}

TEST_F(Fp32WeightsTest, RefusesTensorsThatLieAskew) {
  // The planner puts whole multiples of 64 bytes first and keeps the order of the rest.
  ExpectDamaged(
      [](auto& tensors) { tensors.insert(tensors.begin(), {.name = "odd", .dtype = DType::kU8, .shape = {1}}); },
      "expected to begin at a multiple of 4 bytes");
}

TEST_F(Fp32WeightsTest, SaysThatThereAreNone) {
  const absl::Status status = Fp32Weights::Open(directory_.path(), SmallSpec()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(directory_.path().string()));
}

}  // namespace
}  // namespace ks
