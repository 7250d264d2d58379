// A server as a process, asked for predictions; its memory. Its start is bench_coldstart.h.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "measure/bench_latency.h"
#include "measure/bench_server.h"

namespace ks {

// How to start the server: "{port}" in an argument stands for the port it is to listen on.
struct ServerCommand {
  std::string program;
  std::vector<std::string> arguments;
};

// Starts the server and asks it for a prediction for `text` until it answers. Errors: as ServerProcess::Start.
absl::StatusOr<ServerProcess> StartServer(const ServerCommand& command, const std::string& text);

struct MemoryReport {
  ProcessMemory after_first = {};  // answer
  ProcessMemory after_load = {};
  int texts = 0;  // that the load was
};

// The memory of a server after its first answer, and after `texts` answers to texts of growing length, made of `words`
// over and over until they overflow any window. Errors: as ServerProcess::Start and Post.
absl::StatusOr<MemoryReport> MeasureMemory(const ServerCommand& command, std::span<const std::string> words, int texts,
                                           const BenchProgress& progress);

}  // namespace ks
