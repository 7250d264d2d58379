#include "cli/output_file.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/mapped_file.h"
#include "base/testing/temp_directory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {
namespace fs = std::filesystem;

class OutputFileTest : public testing::Test {
 protected:
  std::string Content() { return ReadFile(path_, 1 << 24).value(); }
  ptrdiff_t FileCount() { return std::distance(fs::directory_iterator(directory_), fs::directory_iterator()); }

  const TempDirectory temp_;
  const fs::path directory_ = temp_.path();
  const std::string path_ = (directory_ / "out.csv").string();
};

TEST_F(OutputFileTest, AppearsOnlyWhenCommitted) {
  std::ofstream(path_) << "before";
  {
    auto file = OutputFile::Open(path_);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE((*file)->Write("new").ok());
    ASSERT_TRUE((*file)->Flush().ok());
    EXPECT_EQ(Content(), "before");
    ASSERT_TRUE((*file)->Commit().ok());
    EXPECT_EQ(Content(), "new");
  }
  EXPECT_EQ(FileCount(), 1);
}

TEST_F(OutputFileTest, LeavesNothingWithoutCommit) {
  std::ofstream(path_) << "before";
  {
    auto file = OutputFile::Open(path_);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE((*file)->Write(std::string(1 << 20, 'x')).ok());
    EXPECT_EQ(FileCount(), 2);
  }
  EXPECT_EQ(Content(), "before");
  EXPECT_EQ(FileCount(), 1);
}

TEST_F(OutputFileTest, HasTheModeOfItsPredecessorOrTheUsualOne) {
  const auto mode_after_writing = [&] {
    auto file = OutputFile::Open(path_);
    EXPECT_TRUE(file.ok() && (*file)->Write("x").ok() && (*file)->Commit().ok());
    struct stat info = {};
    EXPECT_EQ(stat(path_.c_str(), &info), 0);
    return info.st_mode & 07777;
  };
  const mode_t mask = umask(027);
  EXPECT_EQ(mode_after_writing(), 0640u);
  umask(mask);
  fs::permissions(path_, fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(mode_after_writing(), 0600u);
}

TEST_F(OutputFileTest, KeepsOrderThroughItsBuffer) {
  auto file = OutputFile::Open(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  std::string want;
  for (int i = 0; i < 50000; ++i) {
    const std::string line = std::to_string(i) + "\n";
    ASSERT_TRUE((*file)->Write(line).ok());
    want += line;
  }
  ASSERT_TRUE((*file)->Commit().ok());
  EXPECT_TRUE(Content() == want);
}

TEST_F(OutputFileTest, NamesThePathItCannotWrite) {
  const auto missing = OutputFile::Open("/nonexistent/out.csv");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.status().message()), testing::HasSubstr("/nonexistent/out.csv"));
  EXPECT_FALSE(OutputFile::Open(directory_.string()).ok());
}

TEST_F(OutputFileTest, WritesDevicesAsTheyAre) {
  auto file = OutputFile::Open("/dev/full");
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE((*file)->Write("x").ok());
  const absl::Status full = (*file)->Commit();
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(full.message()), testing::HasSubstr("/dev/full"));
}

}  // namespace
}  // namespace ks
