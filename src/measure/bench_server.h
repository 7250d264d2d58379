// A server as a process of its own, seen from outside: how fast it comes up, and what it takes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace ks {

// The memory of a process, as its kernel counts it.
struct ProcessMemory {
  int64_t resident_bytes = 0;   // all that is in memory, the mapped files it read included
  int64_t anonymous_bytes = 0;  // of that, its own: nobody else shares it and no file backs it
  int64_t peak_bytes = 0;       // the highest resident so far
};

// Reads the text of /proc/PID/status. Errors: kInternal naming the field that is missing or has another unit than kB.
absl::StatusOr<ProcessMemory> ParseProcStatus(std::string_view status);

// Starts `program` without arguments and waits for the first byte that it writes to its standard output, then for its
// end: from just before the process was made to that byte. Its environment is the caller's without KS_ variables. Errors:
// those of the system where it cannot be started; kInternal where it ends without a byte.
absl::StatusOr<Duration> TimeToFirstByte(const std::string& program);

// A running server. One thread at a time; blocks. Its destructor ends the process (SIGKILL) and waits for it.
class ServerProcess {
 public:
  // Starts `program` with `arguments`, in which "{port}" stands for a free port of the loopback, and posts `body` to
  // `path` as soon as it answers, connecting again every 0.2 ms until then. Its standard error is kept for messages, its
  // environment has no KS_ variable.
  //
  // first_answer() is the time from just before the process was made to the last byte of the first 200.
  // Errors: kNotFound and others of the system where the program cannot be started; kInternal with the end of what it
  // wrote where it ends before it answers; kDeadlineExceeded after `timeout`.
  static absl::StatusOr<ServerProcess> Start(const std::string& program, const std::vector<std::string>& arguments,
                                             std::string_view path, std::string_view body, Duration timeout);
  ~ServerProcess();
  ServerProcess(ServerProcess&& other) noexcept;
  ServerProcess& operator=(ServerProcess&&) = delete;

  TimePoint started() const { return started_; }  // just before the process was made
  Duration first_answer() const { return first_answer_; }

  // What it wrote to its standard error so far.
  std::string Log() const;

  // Posts `body` to `path` on a connection of its own and returns the answer's body. Errors: kInternal naming the
  // status where it is not 200; those of the system.
  absl::StatusOr<std::string> Post(std::string_view path, std::string_view body) const;

  absl::StatusOr<ProcessMemory> Memory() const;

 private:
  ServerProcess(pid_t pid, int port, int log_fd) : pid_(pid), port_(port), log_fd_(log_fd) {}
  absl::Status WaitForAnswer(std::string_view path, std::string_view body, TimePoint deadline);

  pid_t pid_;
  int port_;
  int log_fd_;
  TimePoint started_;
  Duration first_answer_{0};
};

}  // namespace ks
