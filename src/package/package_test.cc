#include "package/package.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/sha256.h"
#include "base/testing/temp_directory.h"
#include "package/testing_package.h"

namespace ks {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string HashOf(std::string_view content) { return Sha256Hex(std::as_bytes(std::span(content))); }

class PackageTest : public ::testing::Test {
 protected:
  void WritePackage() { ASSERT_TRUE(WriteTestPackage(directory_, "content").ok()); }
  void Overwrite(const std::string& file, std::string_view content) {
    std::ofstream(directory_ / file, std::ios::binary | std::ios::trunc) << content;
  }
  void EditManifest(std::string_view from, std::string_view to) {
    std::string text = *ReadFile(directory_ / kManifestFile, 1 << 20);
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    Overwrite(kManifestFile, text.replace(at, from.size(), to));
  }
  void ExpectOpenFails(absl::StatusCode code, const std::string& part) {
    const absl::Status status = Package::Open(directory_).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(status.message(), AllOf(HasSubstr(directory_.string()), HasSubstr(part)));
  }

  const TempDirectory root_;
  const fs::path directory_ = root_ / "model";
};

TEST_F(PackageTest, OpensAndVerifies) {
  WritePackage();
  const auto package = Package::Open(directory_);
  ASSERT_TRUE(package.ok()) << package.status();
  EXPECT_EQ((*package)->manifest().name, "test");
  EXPECT_EQ((*package)->directory(), directory_);
  EXPECT_EQ((*package)->tokenizer().size(), 7u);
  EXPECT_TRUE((*package)->Verify().ok());
}

TEST_F(PackageTest, SaysThatThereIsNoDirectory) {
  ExpectOpenFails(absl::StatusCode::kNotFound, "No such file or directory");
  std::ofstream(directory_) << "a file";
  ExpectOpenFails(absl::StatusCode::kNotFound, "expected a directory, found a file");
}

TEST_F(PackageTest, SaysHowAPackageIsMadeWhereThereIsNone) {
  fs::create_directory(directory_);
  ExpectOpenFails(absl::StatusCode::kNotFound,
                  "not a model package: no manifest.json, the directory is empty; `kubesentiment convert");
  Overwrite("config.json", "{}");
  ExpectOpenFails(absl::StatusCode::kNotFound, "no manifest.json, but a config.json: this looks like a checkpoint");
}

TEST_F(PackageTest, NamesTheFileThatIsMissing) {
  for (const char* file : {kTokenizerJsonFile, kTokenizerBinFile, kWeightsFile, kFp32GraphFile}) {
    WritePackage();
    fs::remove(directory_ / file);
    ExpectOpenFails(absl::StatusCode::kNotFound, std::string(file) + ": missing, expected 7 bytes by manifest.json");
    fs::remove_all(directory_);
  }
}

TEST_F(PackageTest, WorksWithoutItsOptionalFiles) {
  WritePackage();
  fs::remove(directory_ / kPortableGraphFile);
  const auto package = Package::Open(directory_);
  ASSERT_TRUE(package.ok()) << package.status();
  EXPECT_TRUE((*package)->Verify().ok());
}

TEST_F(PackageTest, OfInt8ServesWithoutWhatFp32Needs) {
  ASSERT_TRUE(WriteTestPackage(directory_, "content", {}, {"fp32", "int8"}).ok());
  EXPECT_EQ((*Package::Open(directory_))->precisions(), (std::vector<std::string>{"fp32", "int8"}));
  fs::remove(directory_ / kWeightsFile);
  fs::remove(directory_ / kFp32GraphFile);
  const auto package = Package::Open(directory_);
  ASSERT_TRUE(package.ok()) << package.status();
  EXPECT_EQ((*package)->precisions(), std::vector<std::string>{"int8"});
  EXPECT_TRUE((*package)->manifest().HasPrecision("fp32")) << "as it was converted";
  EXPECT_FALSE((*package)->HasPrecision("fp32"));
  EXPECT_TRUE((*package)->Verify().ok());
  fs::remove(directory_ / kInt8WeightsFile);
  ExpectOpenFails(absl::StatusCode::kNotFound, "int8.bin: missing, expected 7 bytes by manifest.json");
}

TEST_F(PackageTest, NamesTheFileOfAnotherSize) {
  WritePackage();
  Overwrite(kWeightsFile, "conten");
  ExpectOpenFails(absl::StatusCode::kDataLoss, "model.safetensors: expected 7 bytes by manifest.json, found 6");
}

TEST_F(PackageTest, VerifyNamesTheFileOfAnotherContent) {
  WritePackage();
  Overwrite(kFp32GraphFile, "CONTENT");
  const auto package = Package::Open(directory_);
  ASSERT_TRUE(package.ok()) << "sizes are as they were";
  const absl::Status status = (*package)->Verify();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("fp32.onnx: expected sha256 " + HashOf("content") +
                                                       " by manifest.json, found " + HashOf("CONTENT")));
}

TEST_F(PackageTest, RefusesADamagedManifest) {
  WritePackage();
  EditManifest("\"window\": 8", "\"window\": }");
  ExpectOpenFails(absl::StatusCode::kDataLoss, "manifest.json: ");
}

TEST_F(PackageTest, RefusesAManifestWithoutANeededFile) {
  WritePackage();
  EditManifest("\"tokenizer.bin\"", "\"tokens.bin\"");
  fs::rename(directory_ / kTokenizerBinFile, directory_ / "tokens.bin");
  ExpectOpenFails(absl::StatusCode::kDataLoss, "manifest.json: files: expected tokenizer.bin among them");
}

TEST_F(PackageTest, RefusesAnotherFormatVersion) {
  WritePackage();
  EditManifest("\"format_version\": 2", "\"format_version\": 7");
  ExpectOpenFails(absl::StatusCode::kFailedPrecondition,
                  "format_version: expected 1 or 2, which this program reads, found 7");
}

TEST_F(PackageTest, StaysWithTheDirectoryThatALinkNamedWhenOpened) {
  WritePackage();
  ASSERT_TRUE(WriteTestPackage(root_ / "newer", "content of another").ok());
  fs::create_directory_symlink(directory_, root_ / "current");
  const auto package = Package::Open(root_ / "current");
  ASSERT_TRUE(package.ok()) << package.status();
  fs::remove(root_ / "current");
  fs::create_directory_symlink(root_ / "newer", root_ / "current");
  EXPECT_EQ((*package)->directory(), directory_);
  EXPECT_TRUE((*package)->Verify().ok());
}

// A volume of Kubernetes: volume/FILE -> ..data/FILE, ..data -> ..2026_01; an update moves ..data.
TEST_F(PackageTest, StaysWithTheVersionOfAKubernetesVolume) {
  const fs::path volume = root_ / "volume";
  fs::create_directory(volume);
  ASSERT_TRUE(WriteTestPackage(volume / "..2026_01", "content").ok());
  ASSERT_TRUE(WriteTestPackage(volume / "..2026_02", "content of another").ok());
  fs::create_symlink("..2026_01", volume / "..data");
  for (const auto& entry : fs::directory_iterator(volume / "..2026_01")) {
    fs::create_symlink(fs::path("..data") / entry.path().filename(), volume / entry.path().filename());
  }
  const auto package = Package::Open(volume);
  ASSERT_TRUE(package.ok()) << package.status();
  fs::remove(volume / "..data");
  fs::create_symlink("..2026_02", volume / "..data");
  EXPECT_EQ((*package)->directory(), volume / "..2026_01");
  EXPECT_TRUE((*package)->Verify().ok());
}

TEST_F(PackageTest, TakesAFarmOfLinksToFilesElsewhere) {
  WritePackage();
  const fs::path farm = root_ / "farm";
  fs::create_directory(farm);
  fs::create_directory(root_ / "blobs");
  int blob = 0;
  for (const auto& entry : fs::directory_iterator(directory_)) {
    const fs::path target = root_ / "blobs" / std::to_string(blob++);
    fs::copy_file(entry.path(), target);
    fs::create_symlink(target, farm / entry.path().filename());
  }
  const auto package = Package::Open(farm);
  ASSERT_TRUE(package.ok()) << package.status();
  EXPECT_EQ((*package)->directory(), farm);
}

}  // namespace
}  // namespace ks
