#include "backend/torch/torch_plugin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "base/testing/temp_directory.h"

namespace ks {
namespace {

using ::testing::HasSubstr;

void ExpectRefused(const std::filesystem::path& path, const std::string& part) {
  const absl::Status status = OpenTorchPlugin(path).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("backend pytorch: " + path.string()));
  EXPECT_THAT(std::string(status.message()), HasSubstr(part));
}

TEST(OpenTorchPlugin, SaysWhatToInstallWhereThereIsNone) {
  const TempDirectory directory;
  ExpectRefused(directory / "lib.so", "built without LibTorch. `scripts/setup test` fetches it");
}

TEST(OpenTorchPlugin, NamesAFileThatIsNoLibrary) {
  const TempDirectory directory;
  std::ofstream(directory / "lib.so") << "something else";
  ExpectRefused(directory / "lib.so", "cannot be opened: ");
  ExpectRefused(directory / "lib.so", "LibTorch's libraries belong in torch/ beside it");
}

TEST(OpenTorchPlugin, NamesALibraryThatIsNoPlugin) {
  ExpectRefused("/proc/self/exe", "");  // an executable cannot be opened as a library
  ExpectRefused("/lib/x86_64-linux-gnu/libm.so.6", "expected the function ks_torch_abi");
}

TEST(DefaultTorchPluginPath, LiesInLibBesideTheProgram) {
  EXPECT_EQ(DefaultTorchPluginPath().filename(), "libkubesentiment_torch.so");
  EXPECT_EQ(DefaultTorchPluginPath().parent_path().filename(), "lib");
}

}  // namespace
}  // namespace ks
