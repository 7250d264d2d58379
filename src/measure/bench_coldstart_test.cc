#include "measure/bench_coldstart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace ks {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr char kLine[] =
    R"({"level":"info","message":"start","began_monotonic_ms":5000.5,"config_ms":2,"session_ms":7.25,"ready_ms":9.25,)"
    R"("onnx_environment_thread_ms":11})"
    "\n";

TEST(FindStartLine, ReadsTheStepsOfTheMainThread) {
  const auto found = FindStartLine(std::string("{\"message\":\"backend\"}\n") + kLine + "{\"message\":\"ready\"}\n");
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_TRUE(found->has_value());
  EXPECT_EQ((*found)->began.time_since_epoch(), std::chrono::microseconds(5'000'500));
  ASSERT_EQ((*found)->steps.size(), 2u) << "neither the sum nor another thread's time is a step";
  EXPECT_EQ((*found)->steps[0].name, "config");
  EXPECT_EQ((*found)->steps[1].duration, std::chrono::microseconds(7250));
}

TEST(FindStartLine, WaitsForTheWholeLineAndRefusesAnother) {
  const std::string line = kLine;
  const auto half = FindStartLine(line.substr(0, line.size() - 1));
  ASSERT_TRUE(half.ok());
  EXPECT_FALSE(half->has_value());
  const auto other = FindStartLine("{\"message\":\"start\",\"session_ms\":3}\n");
  EXPECT_EQ(other.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("expected began_monotonic_ms"));
}

// A server in Python that says when it began, and that its session took 20 ms.
ServerCommand PythonServer(bool logs) {
  const std::string program = R"(
import http.server, sys, time
began = time.monotonic()
time.sleep(0.02)
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(*_): pass
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "1")
        self.end_headers()
        self.wfile.write(b"x")
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
if int(sys.argv[2]):
    print(f'{{"message":"start","began_monotonic_ms":{began * 1e3},"session_ms":20}}', file=sys.stderr, flush=True)
server.serve_forever()
)";
  return {.program = "/usr/bin/python3", .arguments = {"-c", program, "{port}", logs ? "1" : "0"}};
}

TEST(MeasureColdStart, TakesTheMedianStartApart) {
  int told = 0;
  const auto report = MeasureColdStart(PythonServer(true), "", "a text", 3, [&](std::string_view) { ++told; });
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->first_answer.count, 3);
  EXPECT_EQ(told, 4);
  EXPECT_FALSE(report->floor.has_value());
  EXPECT_FALSE(report->meets_floor());

  ASSERT_EQ(report->steps.size(), 3u);
  EXPECT_EQ(report->steps[0].name, "exec");
  EXPECT_GT(report->steps[0].duration, milliseconds(1));
  EXPECT_EQ(report->steps[1].duration, milliseconds(20));
  EXPECT_EQ(report->steps[2].name, "answer");
  EXPECT_GT(report->steps[2].duration, Duration(0));
  const Duration sum = std::accumulate(report->steps.begin(), report->steps.end(), Duration(0),
                                       [](Duration all, const auto& step) { return all + step.duration; });
  EXPECT_EQ(sum, report->first_answer.p50);
}

TEST(MeasureColdStart, TimesTheFloorInTurn) {
  const auto report = MeasureColdStart(PythonServer(false), "/usr/bin/pwd", "a text", 2, [](std::string_view) {});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->steps.empty()) << "this server logs no start";
  ASSERT_TRUE(report->floor.has_value());
  EXPECT_EQ(report->floor->count, 2);
  EXPECT_GT(report->floors(), 1) << "Python takes longer than pwd";
}

}  // namespace
}  // namespace ks
