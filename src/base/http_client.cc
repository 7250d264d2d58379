// Plain sockets that never block, and poll with what is left of the time. Tested by http_client_test.cc.
#include "base/http_client.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>

#include "base/socket.h"
#include "base/status.h"
#include "base/status_macros.h"
#include "base/units.h"

namespace ks {
namespace {

constexpr std::string_view kScheme = "http://";
constexpr std::string_view kExpectedUrl = "http://HOST[:PORT][/PATH]";
constexpr size_t kMaxAnswerBytes = 64 << 10;

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

constexpr std::string_view kEndOfHead = "\r\n\r\n";

// The value of Content-Length in `head`, which ends with kEndOfHead; nothing where there is none.
std::optional<size_t> ContentLength(std::string_view head) {
  constexpr std::string_view kName = "content-length:";
  for (size_t line = head.find("\r\n") + 2; line < head.size(); line = head.find("\r\n", line) + 2) {
    if (head.size() - line < kName.size() || strncasecmp(head.data() + line, kName.data(), kName.size()) != 0) continue;
    const size_t digits = head.find_first_not_of(' ', line + kName.size());
    size_t length = 0;
    const auto [end, error] = std::from_chars(head.data() + digits, head.data() + head.size(), length);
    if (error == std::errc()) return length;
  }
  return std::nullopt;
}

bool IsWhole(std::string_view answer) {
  const size_t head = answer.find(kEndOfHead);
  if (head == std::string_view::npos) return false;
  const std::optional<size_t> length = ContentLength(answer.substr(0, head + kEndOfHead.size()));
  return length.has_value() && answer.size() - head - kEndOfHead.size() >= *length;
}

absl::StatusOr<std::string> Receive(const Socket& connection, const Limit& limit) {
  std::string answer;
  while (answer.size() < kMaxAnswerBytes && !IsWhole(answer)) {
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
  const size_t head = text.find(kEndOfHead);
  if (!text.starts_with("HTTP/1.") || head == std::string_view::npos) {
    return Internal("expected an HTTP answer, found ", text.size(), " bytes of something else");
  }
  const size_t blank = text.find(' ');
  HttpAnswer answer;
  const auto [end, error] = std::from_chars(text.data() + std::min(blank + 1, head), text.data() + head, answer.status);
  if (error != std::errc() || answer.status < 100 || answer.status > 599) {
    return Internal("expected an HTTP status, found another line");
  }
  answer.body = text.substr(head + kEndOfHead.size());
  const size_t announced = ContentLength(text.substr(0, head + kEndOfHead.size())).value_or(0);
  if (answer.body.size() < announced && text.size() < kMaxAnswerBytes) {
    return Internal("expected a body of ", announced, " bytes, found ", answer.body.size());
  }
  return answer;
}

// Sends `request` to each address of the name in turn until one takes the connection.
absl::StatusOr<HttpAnswer> Ask(const HttpUrl& url, std::string_view request, Duration timeout) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(url.host.c_str(), url.port.c_str(), &hints, &found); error != 0) {
    return NotFound("no address for ", url.host, " (", gai_strerror(error), ")");
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, freeaddrinfo);
  const Limit limit = {.deadline = AddSaturated(SystemClock().Now(), timeout), .timeout = timeout};
  absl::Status connected;
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    const Socket connection(socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    connected = Connect(connection, *address, limit);
    if (!connected.ok()) continue;
    KS_RETURN_IF_ERROR(Send(connection, request, limit));
    KS_ASSIGN_OR_RETURN(const std::string answer, Receive(connection, limit));
    return ParseAnswer(answer);
  }
  return connected;
}

std::string Head(std::string_view method, const HttpUrl& url) {
  return Cat(method, " ", url.target, " HTTP/1.1\r\nHost: ", url.authority(),
             "\r\nUser-Agent: kubesentiment\r\nAccept: */*\r\nConnection: close\r\n");
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
  return Ask(url, Head("GET", url) + "\r\n", timeout);
}

absl::StatusOr<HttpAnswer> HttpPost(const HttpUrl& url, std::string_view content_type, std::string_view body,
                                    Duration timeout) {
  // In one piece: a body behind its head would wait for the head to be acknowledged.
  return Ask(
      url,
      Cat(Head("POST", url), "Content-Type: ", content_type, "\r\nContent-Length: ", body.size(), "\r\n\r\n", body),
      timeout);
}

}  // namespace ks
