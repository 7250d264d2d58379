#include "convert/calibrated_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "base/testing/temp_directory.h"
#include "convert/testing/tiny_checkpoint.h"

namespace ks {
namespace {

using ::testing::HasSubstr;

class CalibratedFileTest : public ::testing::Test {
 protected:
  CalibratedFileTest() {
    const std::vector<DenseLayer> names = DenseLayers(spec_);
    layers_.calibrated = true;
    for (size_t i = 0; i < names.size(); ++i) {
      const int inputs = names[i].inputs;
      const int outputs = names[i].outputs;
      QuantizedDense& dense = layers_.dense.emplace_back().emplace();
      for (int k = 0; k < inputs * outputs; ++k) dense.values.push_back(static_cast<int8_t>(k * 31 % 255 - 127));
      for (int n = 0; n < outputs; ++n) dense.scales.push_back(0.25f * static_cast<float>(n + 1));
      for (int n = 0; n < outputs; ++n) dense.bias.push_back(-1.5f * static_cast<float>(n));
      for (int k = 0; k < inputs; ++k) dense.multipliers.push_back(0.5f + static_cast<float>(k));
      dense.inputs = inputs;
      dense.outputs = outputs;
    }
    layers_.dense[3].reset();
  }

  void Save() { ASSERT_TRUE(SaveCalibrated(path_, spec_, layers_, kHash).ok()); }
  void ExpectError(absl::StatusCode code, const std::string& part, const std::string& hash = kHash) {
    const absl::Status status = LoadCalibrated(path_, spec_, hash).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(path_.string()));
    EXPECT_THAT(std::string(status.message()), HasSubstr(part));
  }
  void Edit(const std::string& from, const std::string& to) {
    std::string content = *ReadFile(path_, 1 << 24);
    const size_t at = content.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    std::ofstream(path_, std::ios::binary) << content.replace(at, from.size(), to);
  }

  inline static const std::string kHash = std::string(64, 'a');
  const TempDirectory temp_;
  const std::filesystem::path path_ = temp_ / kCalibratedFile;
  ClassifierSpec spec_ = TinySpec();
  QuantizedLayers layers_;
};

TEST_F(CalibratedFileTest, GivesBackWhatItWasGiven) {
  Save();
  const auto layers = LoadCalibrated(path_, spec_, kHash);
  ASSERT_TRUE(layers.ok()) << layers.status();
  EXPECT_TRUE(layers->calibrated);
  ASSERT_EQ(layers->dense.size(), layers_.dense.size());
  for (size_t i = 0; i < layers_.dense.size(); ++i) {
    ASSERT_EQ(layers->dense[i].has_value(), i != 3) << i;
    if (i == 3) continue;
    EXPECT_EQ(layers->dense[i]->values, layers_.dense[i]->values);
    EXPECT_EQ(layers->dense[i]->scales, layers_.dense[i]->scales);
    EXPECT_EQ(layers->dense[i]->bias, layers_.dense[i]->bias);
    EXPECT_EQ(layers->dense[i]->multipliers, layers_.dense[i]->multipliers);
  }
}

TEST_F(CalibratedFileTest, RefusesOtherWeightsNamingBothHashes) {
  Save();
  const std::string other(64, 'b');
  ExpectError(absl::StatusCode::kFailedPrecondition, kHash + ", the checkpoint's are " + other + ": calibrate anew",
              other);
}

TEST_F(CalibratedFileTest, NamesWhatIsDamaged) {
  ExpectError(absl::StatusCode::kNotFound, "No such file");
  Save();
  Edit("weights_sha256", "weights_sha257");
  ExpectError(absl::StatusCode::kDataLoss, "weights_sha256: missing");
  Save();
  Edit("layer.0.attention.self.key.weight_scale", "layer.0.attention.self.key.weight_scalf");
  ExpectError(absl::StatusCode::kDataLoss, "layer.0.attention.self.key.weight_scale: missing");
  Save();
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 1);
  ExpectError(absl::StatusCode::kDataLoss, "truncated or damaged");
  Save();
  spec_.encoder.intermediate_size = 48;
  ExpectError(absl::StatusCode::kDataLoss, "intermediate.dense.weight: expected I8 [48, 32], found I8 [64, 32]");
}

TEST_F(CalibratedFileTest, RefusesTheWeightThatNoKernelExpects) {
  layers_.dense[1]->values[7] = -128;
  Save();
  ExpectError(absl::StatusCode::kDataLoss, "layer.0.attention.output: expected weights from -127 to 127, found -128");
}

TEST_F(CalibratedFileTest, KeepsWhatIsThereWhenTheDiskIsFull) {
  Save();
  const std::string before = *ReadFile(path_, 1 << 24);
  std::filesystem::create_symlink("/dev/full", path_.string() + ".staging");
  layers_.dense[3] = layers_.dense[2];
  const absl::Status status = SaveCalibrated(path_, spec_, layers_, kHash);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(path_.string()));
  EXPECT_EQ(*ReadFile(path_, 1 << 24), before);
  EXPECT_FALSE(std::filesystem::is_symlink(path_.string() + ".staging"));
}

}  // namespace
}  // namespace ks
