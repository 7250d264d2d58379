#include "cli/start_log.h"

#include <gtest/gtest.h>

#include <string>

#include "measure/bench_coldstart.h"

namespace ks {
namespace {

using std::chrono::microseconds;

TEST(LogStart, WritesWhatBenchReads) {
  const TimePoint began(microseconds(123'456'789));
  StepTimes steps(began);
  steps.Done("config", began + microseconds(1500));
  steps.Done("self-check", began + microseconds(9250));
  std::string lines;
  Log log(LogLevel::kInfo, [&](std::string_view line) { lines.append(line).push_back('\n'); });
  LogStart(log, steps, {{"onnx_environment", microseconds(11'000)}});
  EXPECT_NE(lines.find(R"("ready_ms":9.25,"onnx_environment_thread_ms":11)"), std::string::npos) << lines;

  const auto found = FindStartLine(lines);
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_TRUE(found->has_value()) << lines;
  EXPECT_EQ((*found)->began, began);
  ASSERT_EQ((*found)->steps.size(), 2u);
  EXPECT_EQ((*found)->steps[1].name, "self-check");
  EXPECT_EQ((*found)->steps[1].duration, microseconds(7750));
}

}  // namespace
}  // namespace ks
