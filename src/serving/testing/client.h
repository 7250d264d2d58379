// A client of the HTTP server, byte by byte. Tests only.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "base/strings.h"
#include "gtest/gtest.h"

namespace ks {

// A client's end of a connection. Reads fail after ten seconds, so that a test ends.
class Client {
 public:
  explicit Client(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    const int at_once = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof(at_once));
    const timeval limit = {10, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  }
  ~Client() { Leave(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  void FinishSending() { shutdown(fd_, SHUT_WR); }
  void Leave() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

  // One answer: head and body by its Content-Length. Empty where the server closed before.
  std::string Read(bool without_body = false) {
    size_t head_end;
    while ((head_end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!ReadMore()) return std::exchange(received_, "");
    }
    size_t length = head_end + 4;
    if (const size_t at = received_.find("Content-Length: "); at < head_end && !without_body) {
      length += std::stoul(received_.substr(at + 16));
    }
    while (received_.size() < length) {
      if (!ReadMore()) break;
    }
    const std::string answer = received_.substr(0, length);
    received_.erase(0, length);
    return answer;
  }
  // All that comes until the server closes.
  std::string ReadToEnd() {
    while (ReadMore()) {
    }
    return std::exchange(received_, "");
  }

 private:
  bool ReadMore() {
    char bytes[4096];
    const ssize_t count = recv(fd_, bytes, sizeof(bytes), 0);
    if (count <= 0) return false;
    received_.append(bytes, static_cast<size_t>(count));
    return true;
  }

  int fd_;
  std::string received_;
};

// A request without a body, and one that posts `body` to /predict.
inline std::string Head(std::string_view request_line, std::initializer_list<std::string> headers = {}) {
  std::string head = Cat(request_line, " HTTP/1.1\r\nHost: test\r\n");
  for (const std::string& header : headers) head += header + "\r\n";
  return head + "\r\n";
}
inline std::string Predict(std::string_view body, std::initializer_list<std::string> headers = {}) {
  std::string head = Cat("POST /predict HTTP/1.1\r\nHost: test\r\nContent-Length: ", body.size(), "\r\n");
  for (const std::string& header : headers) head += header + "\r\n";
  return Cat(head, "\r\n", body);
}

}  // namespace ks
