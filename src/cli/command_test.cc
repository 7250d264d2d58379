#include "cli/command.h"

#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {
using testing::ElementsAre;
using testing::HasSubstr;

// One command with a flag of each kind.
class CommandLine : public testing::Test {
 protected:
  int Run(std::vector<const char*> arguments) {
    texts_ = {};
    input_.reset();
    handled_.clear();
    number_ = 7;
    verify_ = false;
    arguments.insert(arguments.begin(), "kubesentiment");
    const Command command = {
        .name = "score",
        .summary = "scores",
        .flags = {{"TEXT", &texts_, "", "texts"},
                  {"--input", &input_, "FILE", "a file"},
                  {"--format", &format_, "NAME", "a format", {"csv", "tsv"}},
                  {"--number", IntFlag{&number_, 1, 10}, "N", "a number"},
                  {"--share", RealFlag{&share_, 0.25, 1}, "N", "a number with a point"},
                  {"--verify", &verify_, "", "a switch"},
                  {"--listen", [this](std::string text) { handled_.push_back(std::move(text)); }, "ADDRESS", "handled"},
                  {.name = "--log",
                   .target = TextHandler([this](std::string text) { handled_.push_back(std::move(text)); }),
                   .placeholder = "",
                   .meaning = "a handled switch",
                   .is_switch = true}},
        .run = [] { return 42; }};
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = RunCommandLine({&command, 1}, static_cast<int>(arguments.size()), arguments.data());
    out_ = testing::internal::GetCapturedStdout();
    error_ = testing::internal::GetCapturedStderr();
    return code;
  }

  std::vector<std::string> texts_;
  std::optional<std::string> input_;
  std::string format_;
  int64_t number_ = 7;
  double share_ = 0;
  bool verify_ = false;
  std::vector<std::string> handled_;
  std::string out_, error_;
};

TEST_F(CommandLine, SetsWhatTheFlagsPointToAndRuns) {
  EXPECT_EQ(Run({"score", "a", "--input", "f", "--format=tsv", "b", "--number", "10", "--share", "0.5", "--verify",
                 "--listen", "x"}),
            42);
  EXPECT_THAT(texts_, ElementsAre("a", "b"));
  EXPECT_EQ(input_, "f");
  EXPECT_EQ(format_, "tsv");
  EXPECT_EQ(number_, 10);
  EXPECT_EQ(share_, 0.5);
  EXPECT_TRUE(verify_);
  EXPECT_THAT(handled_, ElementsAre("x"));
  EXPECT_EQ(out_ + error_, "");
}

TEST_F(CommandLine, LeavesDefaultsAlone) {
  EXPECT_EQ(Run({"score"}), 42);
  EXPECT_EQ(number_, 7);
  EXPECT_FALSE(input_.has_value());
  EXPECT_FALSE(verify_);
}

TEST_F(CommandLine, TextsAreTakenAsTheyAre) {
  EXPECT_EQ(Run({"score", "[good, bad]", "a,b", "{x}", "\"q\"", "", "--", "--not-a-flag"}), 42);
  EXPECT_THAT(texts_, ElementsAre("[good, bad]", "a,b", "{x}", "\"q\"", "", "--not-a-flag"));
}

TEST_F(CommandLine, HandledSwitchesTakeAValueOrNone) {
  EXPECT_EQ(Run({"score", "--log", "--log=false"}), 42);
  EXPECT_THAT(handled_, ElementsAre("true", "false"));
}

TEST_F(CommandLine, WrongUsageIsExitTwoWithUsage) {
  for (const std::vector<const char*>& arguments : std::vector<std::vector<const char*>>{{},
                                                                                         {"fly"},
                                                                                         {"score", "--no-such-flag"},
                                                                                         {"score", "--input"},
                                                                                         {"score", "--format", "xml"},
                                                                                         {"score", "--number", "11"},
                                                                                         {"score", "--number", "x"},
                                                                                         {"score", "--share", "0.2"},
                                                                                         {"--input", "f", "score"}}) {
    EXPECT_EQ(Run(arguments), kExitUsage);
    EXPECT_THAT(error_, HasSubstr("error: "));
    EXPECT_THAT(error_, HasSubstr("Usage: kubesentiment"));
    EXPECT_EQ(out_, "");
  }
  Run({"score", "--format", "xml"});
  EXPECT_THAT(error_, HasSubstr("xml"));
  EXPECT_THAT(error_, HasSubstr("csv"));
}

TEST_F(CommandLine, HelpGoesToStandardOutput) {
  EXPECT_EQ(Run({"--help"}), kExitDone);
  EXPECT_THAT(out_, HasSubstr("score"));
  EXPECT_EQ(Run({"score", "--help"}), kExitDone);
  EXPECT_THAT(out_, HasSubstr("--number"));
  EXPECT_EQ(error_, "");
}

TEST(ExitCodes, FollowTheStatus) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCodeOf(InvalidArgument("x")), 2);
  EXPECT_EQ(ExitCodeOf(MakeStatus(absl::StatusCode::kAlreadyExists, "x")), 2);
  EXPECT_EQ(ExitCodeOf(NotFound("x")), 3);
  EXPECT_EQ(ExitCodeOf(DataLoss("x")), 3);
  EXPECT_EQ(ExitCodeOf(FailedPrecondition("x")), 3);
  EXPECT_EQ(ExitCodeOf(MakeStatus(absl::StatusCode::kPermissionDenied, "x")), 3);
  EXPECT_EQ(ExitCodeOf(ResourceExhausted("x")), 1);
  EXPECT_EQ(ExitCodeOf(Internal("x")), 1);
}

}  // namespace
}  // namespace ks
