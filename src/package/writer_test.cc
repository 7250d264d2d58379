#include "package/writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/testing/temp_directory.h"
#include "package/package.h"
#include "package/testing_package.h"

namespace ks {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PackageWriterTest : public ::testing::Test {
 protected:
  // What a whole package's files hold: "" where there is no package, "damaged" where it is not whole.
  std::string Content() {
    if (!fs::exists(target_)) return "";
    const auto package = Package::Open(target_);
    if (!package.ok() || !(*package)->Verify().ok()) return "damaged";
    return *ReadFile(target_ / kWeightsFile, 1000);
  }
  size_t Entries() { return std::distance(fs::directory_iterator(root_.path()), fs::directory_iterator()); }

  const TempDirectory root_;
  const fs::path target_ = root_ / "model";
};

TEST_F(PackageWriterTest, TheSameInputGivesTheSameBytes) {
  ASSERT_TRUE(WriteTestPackage(target_, "content").ok());
  ASSERT_TRUE(WriteTestPackage(root_ / "again", "content").ok());
  for (const auto& entry : fs::directory_iterator(target_)) {
    EXPECT_EQ(*ReadFile(entry.path(), 1 << 20), *ReadFile(root_ / "again" / entry.path().filename(), 1 << 20));
  }
}

TEST_F(PackageWriterTest, HashesWhatIsWrittenInPieces) {
  auto writer = PackageWriter::Create(target_, {});
  ASSERT_TRUE(writer.ok());
  const std::vector<std::string> pieces = {"con", "", "tent"};
  const absl::Status status = writer->AddFile(kWeightsFile, [&](const ByteSink& sink) {
    for (const std::string& piece : pieces) {
      if (absl::Status written = sink(std::as_bytes(std::span(piece))); !written.ok()) return written;
    }
    return absl::OkStatus();
  });
  ASSERT_TRUE(status.ok()) << status;
  Manifest manifest;
  const absl::Status unfinished = writer->Finish(manifest);
  EXPECT_EQ(unfinished.code(), absl::StatusCode::kInvalidArgument) << "a manifest that cannot be read back";
  EXPECT_THAT(unfinished.message(), HasSubstr("manifest.json: name: expected"));
  EXPECT_EQ(*ReadFile(writer->directory() / kWeightsFile, 100), "content");
}

TEST_F(PackageWriterTest, RefusesToReplaceWhatIsNotAPackage) {
  ASSERT_TRUE(fs::create_directory(target_));
  ASSERT_TRUE(WriteTestPackage(target_, "into an empty directory", {.replace = true}).ok());
  fs::remove_all(target_);

  ASSERT_TRUE(fs::create_directory(target_));
  std::ofstream(target_ / "thesis.txt") << "years of work";
  const absl::Status status = WriteTestPackage(target_, "new", {.replace = true});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("model: expected a model package to replace"));
  EXPECT_TRUE(fs::exists(target_ / "thesis.txt"));
  std::ofstream(target_ / kManifestFile) << R"({"name":"a web page"})";
  EXPECT_EQ(WriteTestPackage(target_, "new", {.replace = true}).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(PackageWriterTest, KilledAtAnyStepLeavesTheOldOrTheNewPackage) {
  bool finished = false;
  int kills = 0;
  std::vector<std::string> seen;
  ASSERT_TRUE(WriteTestPackage(target_, "old").ok());
  for (; !finished; ++kills) {
    const pid_t child = fork();
    if (child == 0) {
      int step = 0;
      const auto kill_here = [&](std::string_view, std::string_view) {
        if (step++ == kills) kill(getpid(), SIGKILL);
      };
      _exit(WriteTestPackage(target_, "new", {.replace = true, .on_step = kill_here}).ok() ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    finished = WIFEXITED(status);
    ASSERT_TRUE(finished ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL);
    const std::string content = Content();
    if (seen.empty() || seen.back() != content) seen.push_back(content);
    ASSERT_THAT(content, ::testing::AnyOf("old", "new")) << "killed at step " << kills;
    ASSERT_LE(Entries(), 2u) << "what the killed writers before left is gone";
  }
  EXPECT_THAT(seen, ElementsAre("old", "new"));
  // Before and after: the directory, three steps for each of six files, four to publish; and one run to the end.
  EXPECT_EQ(kills, 2 * (1 + 3 * 6 + 4) + 1);
  EXPECT_EQ(Entries(), 1u);
}

TEST_F(PackageWriterTest, AFullDiskIsAnErrorAndLeavesNothing) {
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {100, 100};
    setrlimit(RLIMIT_FSIZE, &limit);
    const absl::Status status = WriteTestPackage(target_, std::string(200, 'x'));
    const bool clear = absl::IsResourceExhausted(status) &&
                       status.message().find("tokenizer.json: File too large") != absl::string_view::npos;
    _exit(clear ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(Entries(), 0u);
}

}  // namespace
}  // namespace ks
