#include "base/replace_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "base/mapped_file.h"
#include "base/testing/temp_directory.h"

namespace ks {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class ReplaceFileTest : public ::testing::Test {
 protected:
  std::string Content() { return ReadFile(path_, 1 << 24).value(); }
  ptrdiff_t FileCount() { return std::distance(fs::directory_iterator(temp_.path()), fs::directory_iterator()); }

  const TempDirectory temp_;
  const fs::path path_ = temp_ / "file";
};

TEST_F(ReplaceFileTest, WritesAndReplaces) {
  ASSERT_TRUE(ReplaceFile(path_, std::string(1 << 20, 'x')).ok());
  EXPECT_EQ(Content(), std::string(1 << 20, 'x'));
  ASSERT_TRUE(ReplaceFile(path_, "new").ok());
  EXPECT_EQ(Content(), "new");
  ASSERT_TRUE(ReplaceFile(path_, "").ok());
  EXPECT_EQ(Content(), "");
  EXPECT_EQ(FileCount(), 1);
}

TEST_F(ReplaceFileTest, KeepsWhatIsThereWhenTheDiskIsFull) {
  std::ofstream(path_) << "before";
  fs::create_symlink("/dev/full", path_.string() + ".staging");
  const absl::Status status = ReplaceFile(path_, "new");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(path_.string()));
  EXPECT_EQ(Content(), "before");
  EXPECT_EQ(FileCount(), 1);
}

TEST_F(ReplaceFileTest, LeavesNothingWhereItCannotWriteOrRename) {
  const absl::Status missing = ReplaceFile(temp_ / "nowhere" / "x", "new");
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound) << missing;
  EXPECT_THAT(std::string(missing.message()), HasSubstr("nowhere/x"));
  fs::create_directory(path_);
  EXPECT_FALSE(ReplaceFile(path_, "new").ok());
  EXPECT_EQ(FileCount(), 1);
}

}  // namespace
}  // namespace ks
