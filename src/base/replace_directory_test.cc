#include "base/replace_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "base/testing/temp_directory.h"

namespace ks {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::Status WriteWhole(StagedDirectory& staged, std::string_view name, std::string_view content) {
  auto file = staged.CreateFile(name);
  if (!file.ok()) return file.status();
  if (absl::Status status = file->Write(std::as_bytes(std::span(content))); !status.ok()) return status;
  return file->Finish();
}

class ReplaceDirectoryTest : public ::testing::Test {
 protected:
  // Writes a directory of two files that hold `content`.
  absl::Status Write(std::string_view content, StagingOptions options) {
    auto staged = StagedDirectory::Create(target_, std::move(options));
    if (!staged.ok()) return staged.status();
    for (const char* name : {"a", "b"}) {
      if (absl::Status status = WriteWhole(*staged, name, content); !status.ok()) return status;
    }
    return staged->Publish();
  }
  // What both files hold, "" where there is no target, "torn" for anything else.
  std::string Content() {
    if (!fs::exists(target_)) return "";
    const auto a = ReadFile(target_ / "a", 100);
    const auto b = ReadFile(target_ / "b", 100);
    return a.ok() && b.ok() && *a == *b ? *a : "torn";
  }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(root_)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

  const TempDirectory temp_;
  const fs::path& root_ = temp_.path();
  const fs::path target_ = root_ / "model";
};

TEST_F(ReplaceDirectoryTest, WritesReplacesAndLeavesNothingElse) {
  ASSERT_TRUE(Write("old", {}).ok());
  EXPECT_EQ(Content(), "old");
  const absl::Status refused = Write("new", {});
  EXPECT_EQ(refused.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(refused.message(), HasSubstr("model: exists already"));
  EXPECT_EQ(Content(), "old");
  ASSERT_TRUE(Write("new", {.replace = true}).ok());
  EXPECT_EQ(Content(), "new");
  EXPECT_THAT(Names(), ElementsAre("model"));
}

TEST_F(ReplaceDirectoryTest, WritesWithReplaceWhereNothingIs) {
  ASSERT_TRUE(Write("new", {.replace = true}).ok());
  EXPECT_EQ(Content(), "new");
}

TEST_F(ReplaceDirectoryTest, FlushesFilesThenDirectoryThenRenamesThenFlushesTheParent) {
  std::vector<std::string> steps;
  ASSERT_TRUE(Write("old", {}).ok());
  ASSERT_TRUE(Write("new", {.replace = true,
                            .on_step =
                                [&](std::string_view when, std::string_view step) {
                                  if (when == "after") steps.emplace_back(step);
                                }})
                  .ok());
  EXPECT_THAT(steps, ElementsAre("make directory", "create a", "write a", "sync a", "create b", "write b", "sync b",
                                 "sync directory", "rename", "sync parent", "remove the old"));
}

TEST_F(ReplaceDirectoryTest, RemovesWhatIsNotPublished) {
  {
    auto staged = StagedDirectory::Create(target_, {});
    ASSERT_TRUE(staged.ok());
    ASSERT_TRUE(WriteWhole(*staged, "a", "half").ok());
    EXPECT_EQ(Names().size(), 1u);
    const StagedDirectory moved = *std::move(staged);
    EXPECT_EQ(Names().size(), 1u);
  }
  EXPECT_THAT(Names(), ElementsAre());
}

TEST_F(ReplaceDirectoryTest, RemovesLeftoversButNoLiveWritersNorOthersFiles) {
  fs::create_directory(root_ / ".model.staging-abcdef");  // a killed writer's: nobody holds its lock
  std::ofstream(root_ / ".model.staging-abcdef" / "a") << "half";
  fs::create_directory(root_ / ".model.staging-mine");    // not a name of ours
  fs::create_directory(root_ / ".other.staging-abcdef");  // another target's
  auto live = StagedDirectory::Create(target_, {});
  ASSERT_TRUE(live.ok());
  EXPECT_FALSE(fs::exists(root_ / ".model.staging-abcdef"));
  ASSERT_TRUE(WriteWhole(*live, "a", "live").ok());
  ASSERT_TRUE(WriteWhole(*live, "b", "live").ok());

  ASSERT_TRUE(Write("second", {}).ok());
  EXPECT_TRUE(fs::exists(live->path() / "a"));
  const absl::Status late = live->Publish();
  EXPECT_EQ(late.code(), absl::StatusCode::kAlreadyExists) << "the target appeared meanwhile";
  EXPECT_EQ(Content(), "second");
  EXPECT_THAT(Names(), AllOf(::testing::Contains(".model.staging-mine"), ::testing::Contains(".other.staging-abcdef")));
}

TEST_F(ReplaceDirectoryTest, FollowsALinkAtTheTarget) {
  fs::create_directory(root_ / "elsewhere");
  fs::create_directory_symlink(root_ / "elsewhere", target_);
  ASSERT_TRUE(Write("new", {.replace = true}).ok());
  EXPECT_TRUE(fs::is_symlink(target_));
  EXPECT_TRUE(fs::exists(root_ / "elsewhere" / "a"));
}

TEST_F(ReplaceDirectoryTest, RefusesATargetThatIsNoDirectory) {
  std::ofstream(target_) << "a file";
  const absl::Status status = Write("new", {.replace = true});
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(status.message(), HasSubstr("not a directory"));
  EXPECT_TRUE(fs::is_regular_file(target_));
}

TEST_F(ReplaceDirectoryTest, SaysThatTheParentIsMissing) {
  const absl::Status status = StagedDirectory::Create(root_ / "gone" / "model", {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("gone: cannot make a directory for model"), HasSubstr("No such file")));
}

TEST_F(ReplaceDirectoryTest, SaysWhereExchangingIsUnsupportedAndKeepsTheOld) {
  ASSERT_TRUE(Write("old", {}).ok());
  for (const int error : {EINVAL, EXDEV, ENOSYS}) {
    const absl::Status status = Write("new", {.replace = true, .rename = [error](const char*, const char*, unsigned) {
                                                errno = error;
                                                return -1;
                                              }});
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(status.message(), HasSubstr("cannot exchange two directories"));
    EXPECT_EQ(Content(), "old");
    EXPECT_THAT(Names(), ElementsAre("model"));
  }
}

TEST_F(ReplaceDirectoryTest, RenamesPlainlyWhereNoReplaceIsUnsupported) {
  const RenameFunction without_flags = [](const char* from, const char* to, unsigned flags) {
    if (flags == 0) return std::rename(from, to);
    errno = EINVAL;
    return -1;
  };
  ASSERT_TRUE(Write("new", {.rename = without_flags}).ok());
  EXPECT_EQ(Content(), "new");

  auto late = StagedDirectory::Create(root_ / "late", {.rename = without_flags});
  ASSERT_TRUE(late.ok());
  fs::create_directory(root_ / "late");
  std::ofstream(root_ / "late" / "theirs") << "x";
  EXPECT_EQ(late->Publish().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(fs::exists(root_ / "late" / "theirs"));
}

// Runs `body` in a child process and returns its exit status; the child counts as failed if `body` returns false.
int InChild(const std::function<bool()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body() ? 0 : 1);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

TEST_F(ReplaceDirectoryTest, KilledAtAnyStepLeavesTheOldOrTheNew) {
  for (const std::string old : {"", "old"}) {
    bool finished = false;
    int kills = 0;
    std::vector<std::string> seen;
    for (; !finished; ++kills) {
      fs::remove_all(target_);
      if (!old.empty()) {
        ASSERT_TRUE(Write(old, {}).ok());
      }
      const int status = InChild([&] {
        int step = 0;
        const auto kill_here = [&](std::string_view, std::string_view) {
          if (step++ == kills) kill(getpid(), SIGKILL);
        };
        return Write("new", {.replace = true, .on_step = kill_here}).ok();
      });
      finished = WIFEXITED(status);
      ASSERT_TRUE(finished ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL);
      const std::string content = Content();
      ASSERT_TRUE(content == old || content == "new") << content << " after a kill at step " << kills;
      if (seen.empty() || seen.back() != content) seen.push_back(content);
    }
    EXPECT_THAT(seen, ElementsAre(old, "new"));
    EXPECT_EQ(kills, old.empty() ? 21 : 23) << "one run for each step, before and after, and one to the end";
    ASSERT_TRUE(Write("last", {.replace = true}).ok());
    EXPECT_THAT(Names(), ElementsAre("model")) << "the next writer cleans up";
  }
}

TEST_F(ReplaceDirectoryTest, AFullDiskIsAnErrorAndLeavesNothing) {
  ASSERT_TRUE(Write("old", {}).ok());
  const int status = InChild([&] {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {1000, 1000};  // the nearest to a full disk that needs no mount
    setrlimit(RLIMIT_FSIZE, &limit);
    const absl::Status full = Write(std::string(2000, 'x'), {.replace = true});
    return absl::IsResourceExhausted(full) && full.message().find("/a: ") != absl::string_view::npos;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(Content(), "old");
  EXPECT_THAT(Names(), ElementsAre("model"));
}

TEST_F(ReplaceDirectoryTest, AParentWithoutWritePermissionIsAnError) {
  fs::permissions(root_, static_cast<fs::perms>(0555));
  const int status = InChild([&] {
    if (geteuid() == 0 && setuid(65534) != 0) return false;  // root may write anywhere
    const absl::Status refused = Write("new", {});
    return absl::IsPermissionDenied(refused) &&
           refused.message().find("cannot make a directory for model") != absl::string_view::npos;
  });
  EXPECT_EQ(status, 0);
  fs::permissions(root_, fs::perms::owner_all);
  EXPECT_THAT(Names(), ElementsAre());
}

}  // namespace
}  // namespace ks
