#include "checkpoint/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/testing/temp_directory.h"
#include "checkpoint/safetensors.h"

namespace ks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CheckpointTest : public ::testing::Test {
 protected:
  void Write(const std::string& file, std::string_view content) {
    std::ofstream(directory_ / file, std::ios::binary) << content;
  }
  // A file of one-byte tensors that all hold `fill`.
  void WriteTensors(const std::string& file, const std::vector<std::string>& names, char fill) {
    std::vector<TensorDescription> tensors;
    for (const std::string& name : names) tensors.push_back({name, DType::kU8, {1}});
    Write(file, PlanSafetensors(tensors).header + std::string(names.size(), fill));
  }
  absl::Status Error() { return Checkpoint::Open(directory_).status(); }

  const TempDirectory temp_;
  const std::filesystem::path& directory_ = temp_.path();
};

TEST_F(CheckpointTest, OpensOneFile) {
  WriteTensors("model.safetensors", {"a", "b"}, '1');
  const auto checkpoint = Checkpoint::Open(directory_);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_THAT(checkpoint->files(), ElementsAre("model.safetensors"));
  ASSERT_NE(checkpoint->Find("b"), nullptr);
  EXPECT_EQ(checkpoint->Find("b")->bytes.size(), 1u);
  EXPECT_EQ(checkpoint->Find("c"), nullptr);
}

TEST_F(CheckpointTest, OpensTheFilesOfAnIndex) {
  WriteTensors("model-00002-of-00002.safetensors", {"b", "both"}, '2');
  WriteTensors("model-00001-of-00002.safetensors", {"a", "both", "unlisted"}, '1');
  Write("model.safetensors.index.json",
        R"({"metadata":{"total_size":4},"weight_map":{"b":"model-00002-of-00002.safetensors",)"
        R"("both":"model-00002-of-00002.safetensors","a":"model-00001-of-00002.safetensors"}})");
  const auto checkpoint = Checkpoint::Open(directory_);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_THAT(checkpoint->files(), ElementsAre("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"));
  EXPECT_EQ(static_cast<char>(checkpoint->Find("a")->bytes[0]), '1');
  EXPECT_EQ(static_cast<char>(checkpoint->Find("both")->bytes[0]), '2') << "the index decides";
  EXPECT_EQ(checkpoint->Find("unlisted"), nullptr);
}

TEST_F(CheckpointTest, ViewsSurviveAMove) {
  WriteTensors("model.safetensors", {"a"}, '1');
  auto checkpoint = Checkpoint::Open(directory_);
  const TensorView* view = checkpoint->Find("a");
  const Checkpoint moved = *std::move(checkpoint);
  EXPECT_EQ(static_cast<char>(view->bytes[0]), '1');
}

TEST_F(CheckpointTest, SaysWhatIsMissing) {
  EXPECT_EQ(Error().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Error().message(), HasSubstr("neither model.safetensors nor model.safetensors.index.json"));
  Write("pytorch_model.bin", "");
  EXPECT_THAT(Error().message(), HasSubstr("safe_serialization=True"));
}

TEST_F(CheckpointTest, NamesTheFileThatIsDamaged) {
  Write("model.safetensors", "short");
  EXPECT_EQ(Error().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Error().message(), HasSubstr("model.safetensors: 5 bytes"));
}

TEST_F(CheckpointTest, NamesTheFileOfTheIndexThatIsMissing) {
  Write("model.safetensors.index.json", R"({"weight_map":{"a":"gone.safetensors"}})");
  EXPECT_EQ(Error().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Error().message(), HasSubstr("gone.safetensors: No such file"));
}

TEST_F(CheckpointTest, NamesTheTensorThatItsFileLacks) {
  WriteTensors("one.safetensors", {"a"}, '1');
  Write("model.safetensors.index.json", R"({"weight_map":{"a":"one.safetensors","b":"one.safetensors"}})");
  EXPECT_EQ(Error().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Error().message(), HasSubstr("one.safetensors: b: missing"));
}

TEST_F(CheckpointTest, RefusesAnIndexThatPointsElsewhere) {
  for (const char* file : {"../model.safetensors", "/etc/passwd", "", ".."}) {
    Write("model.safetensors.index.json", std::string(R"({"weight_map":{"a":")") + file + R"("}})");
    EXPECT_EQ(Error().code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(Error().message(), HasSubstr("weight_map.a: expected the name of a file in the same directory"))
        << file;
  }
  Write("model.safetensors.index.json", R"({"weight_map":{}})");
  EXPECT_THAT(Error().message(), HasSubstr("names no tensor"));
}

}  // namespace
}  // namespace ks
