#include "telemetry/log.h"

#include <thread>
#include <vector>

#include "base/json.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class LogTest : public ::testing::Test {
 protected:
  Log::Sink Sink() {
    return [this](std::string_view line) { lines_.emplace_back(line); };
  }
  std::vector<std::string> lines_;
};

TEST_F(LogTest, WritesOneJsonObjectWithItsFieldsInOrder) {
  Log log(LogLevel::kInfo, Sink());
  const std::string name = "tiny";
  log.Info("loaded", {{"model", name}, {"threads", 2}, {"seconds", 0.5}, {"verified", false}, {"backend", "onnx"}});
  ASSERT_THAT(lines_, SizeIs(1));
  EXPECT_THAT(lines_[0], HasSubstr(R"("level":"info","message":"loaded","model":"tiny","threads":2,"seconds":0.5,)"
                                   R"("verified":false,"backend":"onnx"})"));
  EXPECT_TRUE(JsonDocument::Parse(lines_[0], "line").ok());
}

TEST_F(LogTest, LeavesOutWhatIsBelowItsLevel) {
  Log log(LogLevel::kWarning, Sink());
  log.Info("no");
  log.Debug("no");
  EXPECT_THAT(lines_, IsEmpty());
  EXPECT_FALSE(log.enabled(LogLevel::kInfo));
  log.Warning("yes");
  log.Error("yes");
  EXPECT_THAT(lines_, SizeIs(2));
}

TEST_F(LogTest, WritesNothingWhenOff) {
  Log log(LogLevel::kOff, Sink());
  log.Error("no");
  EXPECT_THAT(lines_, IsEmpty());
}

TEST_F(LogTest, StaysJsonWhateverBytesItIsGiven) {
  Log log(LogLevel::kInfo, Sink());
  log.Info("bad \xff byte {} %v", {{"path", std::string_view("a\0\n\"\xc3", 5)}});
  ASSERT_THAT(lines_, SizeIs(1));
  EXPECT_TRUE(JsonDocument::Parse(lines_[0], "line").ok()) << lines_[0];
  EXPECT_THAT(lines_[0], HasSubstr("bad \xEF\xBF\xBD byte {} %v"));
}

TEST_F(LogTest, KeepsLinesWholeWhenManyThreadsWrite) {
  Log log(LogLevel::kInfo, Sink());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&log] {
      for (int i = 0; i < 100; ++i) log.Info("x", {{"i", i}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(lines_, SizeIs(400));
}

TEST(ParseLogLevel, KnowsItsNamesAlone) {
  EXPECT_EQ(ParseLogLevel("debug"), LogLevel::kDebug);
  EXPECT_EQ(ParseLogLevel("off"), LogLevel::kOff);
  EXPECT_EQ(ParseLogLevel("warn"), std::nullopt);
  EXPECT_EQ(ParseLogLevel("INFO"), std::nullopt);
}

}  // namespace
}  // namespace ks
