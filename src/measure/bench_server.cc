// Processes, their ports and their memory, straight from the kernel. Tested by bench_server_test.cc.
#include "measure/bench_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>
#include <thread>
#include <utility>

#include "base/http_client.h"
#include "base/socket.h"
#include "base/status_macros.h"

namespace ks {
namespace {

constexpr Duration kBetweenConnects = std::chrono::microseconds(200);
constexpr Duration kAnswerTimeout = std::chrono::seconds(30);
constexpr size_t kShownLogBytes = 2000;

// One that nobody listens on now. Somebody else may take it before the server does: then the server says so.
absl::StatusOr<int> FreePort() {
  const Socket probe(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(probe.fd(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      getsockname(probe.fd(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return ErrnoStatus(errno, "a free port of the loopback");
  }
  return ntohs(address.sin_port);
}

// Posts and reads to the last byte. kUnavailable where nobody listens yet, or whoever does is not ready (503).
absl::StatusOr<std::string> PostOnce(int port, std::string_view path, std::string_view body) {
  const HttpUrl url = {.host = "127.0.0.1", .port = Cat(port), .target = std::string(path)};
  KS_ASSIGN_OR_RETURN(HttpAnswer answer, HttpPost(url, "application/json", body, kAnswerTimeout));
  if (answer.status == 503) return absl::UnavailableError("status 503");
  if (answer.status != 200) return Internal("POST ", path, ": expected status 200, found ", answer.status);
  return std::move(answer.body);
}

// The environment without what would configure the server behind our back.
std::vector<char*> CleanEnvironment() {
  std::vector<char*> kept;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!std::string_view(*variable).starts_with("KS_")) kept.push_back(*variable);
  }
  kept.push_back(nullptr);
  return kept;
}

// Starts words[0] with the descriptors given, or nothing at -1, as its output.
absl::StatusOr<pid_t> Spawn(std::vector<std::string> words, int stdout_fd, int stderr_fd) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<char*> environment = CleanEnvironment();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  for (const auto& [fd, target] : {std::pair(stdout_fd, STDOUT_FILENO), std::pair(stderr_fd, STDERR_FILENO)}) {
    if (fd < 0) {
      posix_spawn_file_actions_addopen(&actions, target, "/dev/null", O_WRONLY, 0);
    } else {
      posix_spawn_file_actions_adddup2(&actions, fd, target);
    }
  }
  // The caller may have blocked signals for its own threads; the program has to hear them.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);

  pid_t pid = -1;
  const int error = posix_spawn(&pid, argv[0], &actions, &attributes, argv.data(), environment.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return ErrnoStatus(error, words[0]);
  return pid;
}

std::string EndOf(std::string log) {
  if (log.size() > kShownLogBytes) log.erase(0, log.size() - kShownLogBytes);
  while (log.ends_with('\n')) log.pop_back();
  return log.empty() ? "it wrote nothing" : log;
}

}  // namespace

absl::StatusOr<Duration> TimeToFirstByte(const std::string& program) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "a pipe");
  const TimePoint before = SystemClock().Now();
  const absl::StatusOr<pid_t> pid = Spawn({program}, ends[1], /*stderr_fd=*/-1);
  close(ends[1]);
  char byte = 0;
  const ssize_t count = pid.ok() ? read(ends[0], &byte, 1) : 0;
  const Duration time = SystemClock().Now() - before;
  close(ends[0]);
  if (!pid.ok()) return pid.status();
  waitpid(*pid, nullptr, 0);
  if (count != 1) return Internal(program, ": expected a byte on its standard output, found its end");
  return time;
}

absl::StatusOr<ProcessMemory> ParseProcStatus(std::string_view status) {
  ProcessMemory memory;
  const std::pair<std::string_view, int64_t*> fields[] = {
      {"\nVmRSS:", &memory.resident_bytes}, {"\nRssAnon:", &memory.anonymous_bytes}, {"\nVmHWM:", &memory.peak_bytes}};
  for (const auto& [name, value] : fields) {
    const size_t found = status.find(name);
    if (found == std::string_view::npos) return Internal("/proc/PID/status: expected a line ", name.substr(1));
    const std::string_view line =
        status.substr(found + name.size(), status.find('\n', found + 1) - found - name.size());
    const size_t digits = line.find_first_not_of(" \t");
    int64_t kilobytes = 0;
    const auto [end, error] =
        std::from_chars(line.data() + std::min(digits, line.size()), line.data() + line.size(), kilobytes);
    if (error != std::errc() || std::string_view(end, line.data() + line.size()) != " kB") {
      return Internal("/proc/PID/status: ", name.substr(1), " expected a number of kB, found '", line, "'");
    }
    *value = kilobytes * 1024;
  }
  return memory;
}

absl::StatusOr<ServerProcess> ServerProcess::Start(const std::string& program,
                                                   const std::vector<std::string>& arguments, std::string_view path,
                                                   std::string_view body, Duration timeout) {
  KS_ASSIGN_OR_RETURN(const int port, FreePort());
  std::vector<std::string> words = {program};
  for (std::string word : arguments) {
    if (const size_t at = word.find("{port}"); at != std::string::npos) word.replace(at, 6, Cat(port));
    words.push_back(std::move(word));
  }
  const int log = memfd_create("server log", MFD_CLOEXEC);
  if (log < 0) return ErrnoStatus(errno, "a log for the server");
  const TimePoint before = SystemClock().Now();
  const absl::StatusOr<pid_t> pid = Spawn(words, /*stdout_fd=*/-1, log);
  if (!pid.ok()) {
    close(log);
    return pid.status();
  }
  ServerProcess server(*pid, port, log);
  server.started_ = before;
  KS_RETURN_IF_ERROR(server.WaitForAnswer(path, body, before + timeout));
  server.first_answer_ = SystemClock().Now() - before;
  return server;
}

absl::Status ServerProcess::WaitForAnswer(std::string_view path, std::string_view body, TimePoint deadline) {
  for (;;) {
    const absl::Status posted = PostOnce(port_, path, body).status();
    if (posted.ok()) return posted;
    if (!absl::IsUnavailable(posted)) return WithContext(posted, EndOf(Log()));
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      return Internal("the server ended before it answered: ", EndOf(Log()));
    }
    if (SystemClock().Now() > deadline) {
      return absl::DeadlineExceededError(Cat("the server did not answer: ", EndOf(Log())));
    }
    std::this_thread::sleep_for(kBetweenConnects);
  }
}

ServerProcess::ServerProcess(ServerProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      port_(other.port_),
      log_fd_(std::exchange(other.log_fd_, -1)),
      started_(other.started_),
      first_answer_(other.first_answer_) {}

ServerProcess::~ServerProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (log_fd_ >= 0) close(log_fd_);
}

absl::StatusOr<std::string> ServerProcess::Post(std::string_view path, std::string_view body) const {
  return PostOnce(port_, path, body);
}

absl::StatusOr<ProcessMemory> ServerProcess::Memory() const {
  std::ifstream file(Cat("/proc/", pid_, "/status"));  // of no size until it is read
  return ParseProcStatus(std::string(std::istreambuf_iterator<char>(file), {}));
}

std::string ServerProcess::Log() const {
  struct stat info = {};
  if (fstat(log_fd_, &info) != 0) return "";
  std::string log(static_cast<size_t>(info.st_size), '\0');
  const ssize_t count = pread(log_fd_, log.data(), log.size(), 0);
  log.resize(count > 0 ? static_cast<size_t>(count) : 0);
  return log;
}

}  // namespace ks
