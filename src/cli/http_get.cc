// Plain sockets that never block, and poll with what is left of the time. Tested by http_get_test.cc.
#include "cli/http_get.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>

#include "base/status.h"
#include "base/status_macros.h"
#include "cli/units.h"

namespace ks {
namespace {

constexpr std::string_view kScheme = "http://";
constexpr std::string_view kExpectedUrl = "http://HOST[:PORT][/PATH]";
constexpr size_t kMaxAnswerBytes = 64 << 10;

class Socket {
 public:
  explicit Socket(const addrinfo& address)
      : fd_(socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

struct Limit {
  TimePoint deadline;
  Duration timeout;
};

absl::Status Broken(int error) {
  if (error == ECONNREFUSED) return absl::UnavailableError("nobody listens (connection refused)");
  return absl::UnavailableError(ErrnoStatus(error, "the connection").message());
}

// Until the socket is ready for `events`, or broken: then the next call on it says how.
absl::Status Wait(const Socket& connection, short events, const Limit& limit) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(limit.deadline - SystemClock().Now());
    pollfd waiting = {.fd = connection.fd(), .events = events, .revents = 0};
    const int ready = left.count() > 0 ? poll(&waiting, 1, static_cast<int>(left.count())) : 0;
    if (ready > 0) return absl::OkStatus();
    if (ready == 0) return absl::DeadlineExceededError(Cat("no answer within ", FormatDuration(limit.timeout)));
    if (errno != EINTR) return Broken(errno);
  }
}

absl::Status Connect(const Socket& connection, const addrinfo& address, const Limit& limit) {
  if (connection.fd() < 0) return Broken(errno);
  if (connect(connection.fd(), address.ai_addr, address.ai_addrlen) == 0) return absl::OkStatus();
  if (errno != EINPROGRESS) return Broken(errno);
  KS_RETURN_IF_ERROR(Wait(connection, POLLOUT, limit));
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(connection.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? absl::OkStatus() : Broken(error);
}

absl::Status Send(const Socket& connection, std::string_view request, const Limit& limit) {
  while (!request.empty()) {
    const ssize_t count = send(connection.fd(), request.data(), request.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      request.remove_prefix(static_cast<size_t>(count));
    } else if (errno == EAGAIN) {
      KS_RETURN_IF_ERROR(Wait(connection, POLLOUT, limit));
    } else {
      return Broken(errno);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Receive(const Socket& connection, const Limit& limit) {
  std::string answer;
  while (answer.size() < kMaxAnswerBytes) {
    KS_RETURN_IF_ERROR(Wait(connection, POLLIN, limit));
    char buffer[4096];
    const ssize_t count = recv(connection.fd(), buffer, sizeof(buffer), 0);
    if (count == 0) break;
    if (count > 0) {
      answer.append(buffer, static_cast<size_t>(count));
    } else if (errno != EAGAIN) {
      return Broken(errno);
    }
  }
  return answer;
}

// "HTTP/1.1 200 OK", headers, an empty line, the body.
absl::StatusOr<HttpAnswer> ParseAnswer(std::string_view text) {
  const size_t head = text.find("\r\n\r\n");
  if (!text.starts_with("HTTP/1.") || head == std::string_view::npos) {
    return Internal("expected an HTTP answer, found ", text.size(), " bytes of something else");
  }
  const size_t blank = text.find(' ');
  HttpAnswer answer;
  const auto [end, error] = std::from_chars(text.data() + std::min(blank + 1, head), text.data() + head, answer.status);
  if (error != std::errc() || answer.status < 100 || answer.status > 599) {
    return Internal("expected an HTTP status, found another line");
  }
  answer.body = text.substr(head + 4);
  return answer;
}

bool IsPort(std::string_view text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

}  // namespace

std::string HttpUrl::authority() const {
  return host.find(':') == std::string::npos ? Cat(host, ":", port) : Cat("[", host, "]:", port);
}

absl::StatusOr<HttpUrl> ParseHttpUrl(std::string_view url) {
  const absl::Status refused = InvalidArgument("expected ", kExpectedUrl, ", found \"", url, "\"");
  // What separates the parts is in ASCII; a blank or a control character would end the request's first line.
  const bool printable = std::ranges::all_of(url, [](char c) { return c > 0x20 && c < 0x7F && c != '#' && c != '@'; });
  if (!printable || !url.starts_with(kScheme)) return refused;
  std::string_view rest = url.substr(kScheme.size());
  const size_t slash = std::min(rest.find_first_of("/?"), rest.size());
  HttpUrl parsed;
  if (slash < rest.size()) parsed.target = Cat(rest[slash] == '?' ? "/" : "", rest.substr(slash));
  rest = rest.substr(0, slash);
  const bool bracketed = rest.starts_with('[');
  const size_t host_end = bracketed ? rest.find(']') : rest.find(':');
  parsed.host = rest.substr(bracketed, host_end - bracketed);
  rest.remove_prefix(std::min(host_end, rest.size()));
  if (bracketed && !rest.empty()) rest.remove_prefix(1);
  if (parsed.host.empty() || (bracketed && host_end == std::string_view::npos)) return refused;
  if (rest.empty()) return parsed;
  if (!rest.starts_with(':') || !IsPort(rest.substr(1))) return refused;
  parsed.port = rest.substr(1);
  return parsed;
}

absl::StatusOr<HttpAnswer> HttpGet(const HttpUrl& url, Duration timeout) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(url.host.c_str(), url.port.c_str(), &hints, &found); error != 0) {
    return NotFound("no address for ", url.host, " (", gai_strerror(error), ")");
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, freeaddrinfo);
  const Limit limit = {.deadline = AddSaturated(SystemClock().Now(), timeout), .timeout = timeout};
  const std::string request = Cat("GET ", url.target, " HTTP/1.1\r\nHost: ", url.authority(),
                                  "\r\nUser-Agent: kubesentiment\r\nAccept: */*\r\nConnection: close\r\n\r\n");
  absl::Status connected;
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    const Socket connection(*address);
    connected = Connect(connection, *address, limit);
    if (!connected.ok()) continue;
    KS_RETURN_IF_ERROR(Send(connection, request, limit));
    KS_ASSIGN_OR_RETURN(const std::string answer, Receive(connection, limit));
    return ParseAnswer(answer);
  }
  return connected;
}

}  // namespace ks
