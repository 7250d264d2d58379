#include "measure/bench_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>

#include "base/testing/temp_directory.h"
#include "measure/bench_process.h"

namespace ks {
namespace {

using testing::HasSubstr;

// A server in Python that answers every POST with its body's size, after `prelude` has run.
ServerCommand PythonServer(const std::string& prelude = "", const std::string& status = "200") {
  const std::string program = prelude + R"(
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response()" +
                              status + R"()
        answer = f"{self.path} {len(body)} bytes".encode()
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
)";
  return {.program = "/usr/bin/python3", .arguments = {"-c", program, "{port}"}};
}

absl::StatusOr<ServerProcess> Start(const ServerCommand& command, Duration timeout = std::chrono::seconds(60)) {
  return ServerProcess::Start(command.program, command.arguments, "/x", "body", timeout);
}

TEST(ServerProcess, AnswersAndIsEndedWithItsOwner) {
  const TimePoint before = SystemClock().Now();
  absl::StatusOr<ServerProcess> server = Start(PythonServer());
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_GT(server->first_answer(), Duration(0));
  EXPECT_LE(server->first_answer(), SystemClock().Now() - before);
  const auto answer = server->Post("/y", "12345");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer, "/y 5 bytes");

  const auto memory = server->Memory();
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_GT(memory->anonymous_bytes, 1 << 20);
  EXPECT_GE(memory->resident_bytes, memory->anonymous_bytes);
  EXPECT_GE(memory->peak_bytes, memory->resident_bytes);
}

TEST(ServerProcess, SeesNoSettingsOfTheCaller) {
  setenv("KS_LISTEN", "somewhere", 1);
  const auto server = Start(PythonServer("import os; assert 'KS_LISTEN' not in os.environ"));
  unsetenv("KS_LISTEN");
  EXPECT_TRUE(server.ok()) << server.status();
}

TEST(ServerProcess, SaysWhatAServerWroteThatEnded) {
  const auto server = Start(PythonServer("raise SystemExit('no such model')"));
  EXPECT_EQ(server.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(server.status().message()), HasSubstr("the server ended before it answered: no such model"));
}

TEST(ServerProcess, NamesAProgramThatIsNotThere) {
  const auto server = Start({.program = "/nowhere/server", .arguments = {}});
  EXPECT_EQ(server.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(server.status().message()), HasSubstr("/nowhere/server"));
}

TEST(ServerProcess, TakesNoOtherStatusForAnAnswer) {
  const auto server = Start(PythonServer("", "422"));
  EXPECT_EQ(server.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(server.status().message()), HasSubstr("expected status 200, found 422"));
}

TEST(ServerProcess, GivesUpOnAServerThatIsNeverReady) {
  const auto server = Start(PythonServer("", "503"), std::chrono::seconds(1));
  EXPECT_EQ(server.status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(ParseProcStatus, NamesTheLineThatIsNotAsExpected) {
  const auto memory = ParseProcStatus("Name:\tx\nVmHWM:\t    30 kB\nVmRSS:\t  20 kB\nRssAnon:\t   10 kB\n");
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_EQ(memory->resident_bytes, 20 * 1024);
  EXPECT_EQ(memory->anonymous_bytes, 10 * 1024);
  EXPECT_EQ(memory->peak_bytes, 30 * 1024);
  EXPECT_THAT(std::string(ParseProcStatus("Name:\tx\nVmHWM:\t1 kB\nVmRSS:\t1 kB\n").status().message()),
              HasSubstr("expected a line RssAnon:"));
  EXPECT_THAT(std::string(ParseProcStatus("Name:\tx\nVmRSS:\t1 MB\n").status().message()),
              HasSubstr("VmRSS: expected a number of kB"));
}

TEST(TimeToFirstByte, TimesTheByteAndNotTheEnd) {
  const TempDirectory temp;
  const auto time = [&](const std::string& body) {
    const std::filesystem::path program = temp / "program";
    std::ofstream(program) << "#!/bin/sh\n" << body << "\n";
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    return TimeToFirstByte(program.string());
  };
  const TimePoint before = SystemClock().Now();
  const auto byte = time("echo 1; sleep 0.3");
  ASSERT_TRUE(byte.ok()) << byte.status();
  EXPECT_GE(SystemClock().Now() - before, *byte + std::chrono::milliseconds(250)) << "it has ended";
  EXPECT_THAT(std::string(time("exit 1").status().message()), HasSubstr("expected a byte on its standard output"));
  EXPECT_EQ(TimeToFirstByte("/nowhere/program").status().code(), absl::StatusCode::kNotFound);
}

TEST(MeasureMemory, LooksBeforeAndAfterTheLoad) {
  // Keeps what it is sent, so that the load shows.
  const auto report = MeasureMemory(
      PythonServer("kept = []\nimport builtins\nlen = lambda b: (kept.append(bytearray(1 << 20)), builtins.len(b))[1]"),
      std::vector<std::string>{"one", "two"}, 20, [](std::string_view) {});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->texts, 20);
  EXPECT_GT(report->after_load.anonymous_bytes, report->after_first.anonymous_bytes + 10 * (1 << 20));
}

}  // namespace
}  // namespace ks
