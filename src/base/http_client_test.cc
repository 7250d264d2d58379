#include "base/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// A socket that listens at a free port of the loopback, which goes to `port`.
int ListenOnLoopback(std::string& port) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(listener, reinterpret_cast<const sockaddr*>(&address), size), 0);
  EXPECT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  EXPECT_EQ(listen(listener, 1), 0);
  port = Cat(ntohs(address.sin_port));
  return listener;
}

// Listens on the loopback. Accepts one connection, reads a request to its `end`, writes `answer` and closes, or where told to
// keeps the connection open until the client has closed it.
class OneAnswer {
 public:
  explicit OneAnswer(std::string answer, std::string end = "\r\n\r\n", bool keeps_open = false)
      : url_{.host = "127.0.0.1", .port = "", .target = "/health?x=1"}, listener_(ListenOnLoopback(url_.port)) {
    thread_ = std::thread([this, answer = std::move(answer), end = std::move(end), keeps_open] {
      const int connection = accept(listener_, nullptr, nullptr);
      while (!request_.ends_with(end)) {
        char buffer[1000];
        const ssize_t count = recv(connection, buffer, sizeof(buffer), 0);
        if (count <= 0) break;
        request_.append(buffer, static_cast<size_t>(count));
      }
      send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
      char byte = 0;
      if (keeps_open) recv(connection, &byte, 1, 0);
      close(connection);
    });
  }
  ~OneAnswer() {
    if (thread_.joinable()) thread_.join();
    close(listener_);
  }
  OneAnswer(const OneAnswer&) = delete;
  OneAnswer& operator=(const OneAnswer&) = delete;

  const HttpUrl& url() const { return url_; }
  const std::string& request() {
    if (thread_.joinable()) thread_.join();
    return request_;
  }

 private:
  HttpUrl url_;
  int listener_;
  std::string request_;
  std::thread thread_;
};

TEST(ParseHttpUrl, ReadsHostPortAndTarget) {
  const auto parts = [](std::string_view url) {
    const auto parsed = ParseHttpUrl(url);
    return parsed.ok() ? Cat(parsed->host, " ", parsed->port, " ", parsed->target, " ", parsed->authority())
                       : "refused";
  };
  EXPECT_EQ(parts("http://127.0.0.1:8000/health/ready"), "127.0.0.1 8000 /health/ready 127.0.0.1:8000");
  EXPECT_EQ(parts("http://localhost"), "localhost 80 / localhost:80");
  EXPECT_EQ(parts("http://a.b/c?d=e:1"), "a.b 80 /c?d=e:1 a.b:80");
  EXPECT_EQ(parts("http://a:1?d"), "a 1 /?d a:1");
  EXPECT_EQ(parts("http://[::1]:65535/x"), "::1 65535 /x [::1]:65535");
  EXPECT_EQ(parts("http://[::1]"), "::1 80 / [::1]:80");
}

TEST(ParseHttpUrl, RefusesTheRestWithItsText) {
  for (const char* url : {"",
                          "http://",
                          "https://a/",
                          "a:80/",
                          "http:///x",
                          "http://:80/",
                          "http://a:0",
                          "http://a:65536",
                          "http://a:",
                          "http://a:8o",
                          "http://a:+80",
                          "http://::1/",
                          "http://[::1",
                          "http://[]/",
                          "http://[::1]x",
                          "http://u@a/",
                          "http://a/#x",
                          "http://a/b c",
                          "http://a/\r\nX: y",
                          "http://a/\xC3\xA4"}) {
    const auto parsed = ParseHttpUrl(url);
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << url;
    EXPECT_EQ(parsed.status().message(), Cat("expected http://HOST[:PORT][/PATH], found \"", url, "\""));
  }
}

TEST(HttpGet, AsksAndReadsTheAnswerToItsEnd) {
  OneAnswer server("HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n\r\nnot\nyet");
  const auto answer = HttpGet(server.url(), seconds(10));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(answer->body, "not\nyet");
  EXPECT_THAT(server.request(),
              StartsWith(Cat("GET /health?x=1 HTTP/1.1\r\nHost: ", server.url().authority(), "\r\n")));
  EXPECT_THAT(server.request(), EndsWith("\r\nConnection: close\r\n\r\n"));
}

TEST(HttpGet, EndsWithTheAnswerWhereTheServerKeepsTheConnection) {
  OneAnswer server("HTTP/1.1 200 OK\r\ncontent-length: 4\r\nX: y\r\n\r\ndone", "\r\n\r\n", /*keeps_open=*/true);
  const auto answer = HttpGet(server.url(), seconds(10));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->body, "done");
}

TEST(HttpGet, RefusesHalfAnAnswer) {
  OneAnswer server("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nhalf");
  const auto answer = HttpGet(server.url(), seconds(10));
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(answer.status().message(), "expected a body of 40 bytes, found 4");
}

TEST(HttpPost, SendsTheBodyBehindItsHead) {
  OneAnswer server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "\r\n\r\n{\"a\":1}");
  const auto answer = HttpPost(server.url(), "application/json", "{\"a\":1}", seconds(10));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 200);
  EXPECT_THAT(server.request(),
              StartsWith(Cat("POST /health?x=1 HTTP/1.1\r\nHost: ", server.url().authority(), "\r\n")));
  EXPECT_THAT(server.request(), HasSubstr("\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{"));
}

TEST(HttpGet, StopsReadingAtSixtyFourKilobytes) {
  OneAnswer server("HTTP/1.0 200 OK\r\n\r\n" + std::string(1 << 20, 'x'));
  const auto answer = HttpGet(server.url(), seconds(10));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 200);
  EXPECT_GE(answer->body.size(), 60000u);
  EXPECT_LE(answer->body.size(), 70000u);
}

TEST(HttpGet, ConnectsByName) {
  // On many systems to the second address alone: that of IPv6, where nobody listens, comes first.
  OneAnswer server("HTTP/1.1 204 No Content\r\n\r\n");
  const auto answer = HttpGet({.host = "localhost", .port = server.url().port, .target = "/"}, seconds(10));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 204);
}

TEST(HttpGet, SaysThatNobodyListens) {
  HttpUrl url;
  {
    OneAnswer server("");
    url = server.url();
    EXPECT_FALSE(HttpGet(url, seconds(10)).ok());
  }  // from here on the port is closed
  const auto answer = HttpGet(url, seconds(10));
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(answer.status().message(), "nobody listens (connection refused)");
}

TEST(HttpGet, GivesUpAtTheTimeout) {
  // A listener whose queue takes the connection and that never answers.
  HttpUrl url = {.host = "127.0.0.1"};
  const int listener = ListenOnLoopback(url.port);
  const TimePoint began = SystemClock().Now();
  const auto answer = HttpGet(url, milliseconds(60));
  const Duration waited = SystemClock().Now() - began;
  close(listener);
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(answer.status().message(), "no answer within 60ms");
  EXPECT_GE(waited, milliseconds(60));
}

TEST(HttpGet, RefusesWhatIsNoHttpAnswer) {
  for (const char* text : {"", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 2 OK\r\n\r\n",
                           "HTTP/1.1 abc\r\n\r\n"}) {
    OneAnswer server(text);
    const auto answer = HttpGet(server.url(), seconds(10));
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kInternal) << text;
    EXPECT_THAT(std::string(answer.status().message()), HasSubstr("expected an HTTP")) << text;
  }
}

TEST(HttpGet, NamesAHostWithoutAnAddress) {
  // A label of 64 letters is longer than any may be, so that nobody is asked.
  const auto answer = HttpGet({.host = std::string(64, 'a')}, seconds(10));
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(answer.status().message()), StartsWith("no address for aaa"));
}

}  // namespace
}  // namespace ks
