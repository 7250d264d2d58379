// Tested by bench_server_test.cc.
#include "measure/bench_process.h"

#include "base/json_writer.h"
#include "base/status_macros.h"

namespace ks {
namespace {

constexpr char kPath[] = "/api/v1/predict";
constexpr Duration kStartTimeout = std::chrono::seconds(60);
constexpr size_t kLongestTextBytes = 8000;  // below the server's limit of 10,000 characters, above the widest window

std::string Body(std::string_view text) {
  JsonWriter json;
  json.BeginObject().Key("text").String(text).EndObject();
  return std::move(json).Take();
}

}  // namespace

absl::StatusOr<ServerProcess> StartServer(const ServerCommand& command, const std::string& text) {
  return ServerProcess::Start(command.program, command.arguments, kPath, Body(text), kStartTimeout);
}

absl::StatusOr<MemoryReport> MeasureMemory(const ServerCommand& command, std::span<const std::string> words, int texts,
                                           const BenchProgress& progress) {
  progress("memory");
  MemoryReport report = {.texts = texts};
  KS_ASSIGN_OR_RETURN(const ServerProcess server, StartServer(command, words[0]));
  KS_ASSIGN_OR_RETURN(report.after_first, server.Memory());
  std::string text;
  size_t next = 0;
  for (int i = 0; i < texts; ++i) {
    text = text.size() + words[next].size() + 1 < kLongestTextBytes ? Cat(text, " ", words[next]) : words[next];
    next = (next + 1) % words.size();
    KS_RETURN_IF_ERROR(server.Post(kPath, Body(text)).status());
  }
  KS_ASSIGN_OR_RETURN(report.after_load, server.Memory());
  return report;
}

}  // namespace ks
