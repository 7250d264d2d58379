#include "convert/temperature_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <string>

#include "base/mapped_file.h"
#include "base/testing/temp_directory.h"

namespace ks {
namespace {

using ::testing::HasSubstr;

class TemperatureFileTest : public ::testing::Test {
 protected:
  void ExpectError(absl::StatusCode code, const std::string& part) {
    const absl::Status status = LoadTemperature(path_, kHash).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(path_.string()));
    EXPECT_THAT(std::string(status.message()), HasSubstr(part));
  }
  void Write(const std::string& text) { std::ofstream(path_) << text; }

  inline static const std::string kHash = std::string(64, 'a');
  const TempDirectory temp_;
  const std::filesystem::path path_ = temp_ / kTemperatureFile;
};

TEST_F(TemperatureFileTest, GivesBackWhatItWasGiven) {
  ASSERT_TRUE(SaveTemperature(path_, 1.13f, kHash).ok());
  EXPECT_EQ(*ReadFile(path_, 1000), "{\n  \"temperature\": 1.13,\n  \"weights_sha256\": \"" + kHash + "\"\n}\n");
  const auto temperature = LoadTemperature(path_, kHash);
  ASSERT_TRUE(temperature.ok()) << temperature.status();
  EXPECT_EQ(*temperature, 1.13f);
}

TEST_F(TemperatureFileTest, RefusesOtherWeightsNamingBothHashes) {
  const std::string other(64, 'b');
  ASSERT_TRUE(SaveTemperature(path_, 1.13f, other).ok());
  ExpectError(absl::StatusCode::kFailedPrecondition, other + ", the checkpoint's are " + kHash + ": fit it anew");
}

TEST_F(TemperatureFileTest, NamesWhatIsDamaged) {
  ExpectError(absl::StatusCode::kNotFound, "No such file");
  Write("{");
  ExpectError(absl::StatusCode::kDataLoss, "");
  Write("{\"temperature\": 1}");
  ExpectError(absl::StatusCode::kDataLoss, "weights_sha256: missing");
  Write("{\"temperature\": 0, \"weights_sha256\": \"\"}");
  ExpectError(absl::StatusCode::kDataLoss, "temperature: expected a number from 0.001 to 1000, found the integer 0");
}

TEST(CheckTemperature, TakesWhatAManifestTakes) {
  for (const float good : {0.001f, 1.0f, 1000.0f}) EXPECT_TRUE(CheckTemperature(good).ok()) << good;
  for (const float bad : {0.0f, -1.0f, 0.0009f, 1000.1f, std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity()}) {
    EXPECT_EQ(CheckTemperature(bad).code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace ks
