#include "serving/http/server.h"

#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "engine/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "serving/testing/client.h"
#include "serving/testing/world.h"

namespace ks {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ServerTest : public ::testing::Test {
 protected:
  void Start(HttpServerOptions options = {}, AppOptions app_options = {}) {
    world_ = std::make_unique<World>(app_options);
    options.listen = "127.0.0.1:0";
    auto server = HttpServer::Start(options, world_->app);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  void TearDown() override {
    if (world_ != nullptr) world_->engine.Release();
  }
  // Until `condition` holds, at most ten seconds: for what another thread is about to do.
  template <typename Condition>
  static bool Eventually(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(10);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  std::unique_ptr<World> world_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(ServerTest, AnswersAndKeepsTheConnection) {
  Start();
  Client client(server_->port());
  for (int i = 0; i < 3; ++i) {
    client.Send(Predict(R"({"text":"good"})"));
    const std::string answer = client.Read();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"));
    EXPECT_THAT(answer, HasSubstr("POSITIVE"));
    EXPECT_THAT(answer, ::testing::Not(HasSubstr("Connection: close")));
  }
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(ServerTest, ClosesWhereTheClientAsksTo) {
  Start();
  Client client(server_->port());
  client.Send(Head("GET /health/live", {"Connection: close"}));
  EXPECT_THAT(client.ReadToEnd(), HasSubstr("Connection: close\r\n"));
  Client old(server_->port());
  old.Send("GET /health/live HTTP/1.0\r\n\r\n");
  EXPECT_THAT(old.ReadToEnd(), HasSubstr("{\"status\":\"live\"}"));
}

TEST_F(ServerTest, AnswersAPipelineInOrder) {
  Start();
  Client client(server_->port());
  std::string requests;
  for (int n = 1; n <= 20; ++n)
    requests += Predict(Cat(R"({"text":")", std::string(static_cast<size_t>(n), 'x'), "\"}"));
  client.Send(requests);
  for (int n = 1; n <= 20; ++n) EXPECT_THAT(client.Read(), HasSubstr(Cat("\"text_length\":", n, ",")));
}

TEST_F(ServerTest, AnswersAClientThatHasFinishedSending) {
  Start();
  Client client(server_->port());
  client.Send(Predict(R"({"text":"good"})"));
  client.FinishSending();
  EXPECT_THAT(client.ReadToEnd(), HasSubstr("POSITIVE"));
}

TEST_F(ServerTest, CancelsTheRequestOfAClientThatLeaves) {
  Start();
  world_->engine.Hold();
  for (const size_t length : {4, 9000}) {  // both threads that parse
    auto leaving = std::make_unique<Client>(server_->port());
    leaving->Send(Predict(Cat(R"({"text":")", std::string(length, 'x'), "\"}")));
    ASSERT_TRUE(Eventually([&] { return world_->engine.held() == 1; })) << length;
    leaving.reset();
    ASSERT_TRUE(Eventually([&] { return world_->engine.held() == 0; })) << length;
    EXPECT_TRUE(Eventually([&] { return server_->connections() == 0; }));
  }
  EXPECT_EQ(world_->Sample(R"(http_requests_total{method="POST",route="/api/v1/predict",status="499"})"), 2);
}

TEST_F(ServerTest, SaysSoToAClientThatFinishedSendingAndThenHadToWait) {
  Start();
  world_->engine.Hold();
  Client client(server_->port());
  client.Send(Predict(R"({"text":"good"})"));
  client.FinishSending();
  const std::string answer = client.ReadToEnd();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 499 Client Closed Request\r\n"));
  EXPECT_THAT(answer, HasSubstr("E4009"));
}

TEST_F(ServerTest, AnswersAPipelineThatCameWhileItWaited) {
  Start();
  world_->engine.Hold();
  Client client(server_->port());
  client.Send(Predict(R"({"text":"x"})"));
  ASSERT_TRUE(Eventually([&] { return world_->engine.held() == 1; }));
  client.Send(Predict(R"({"text":"xx"})"));
  client.Send(Head("GET /health/live"));
  world_->engine.Release();
  EXPECT_THAT(client.Read(), HasSubstr("\"text_length\":1,"));
  EXPECT_THAT(client.Read(), HasSubstr("\"text_length\":2,"));
  EXPECT_THAT(client.Read(), HasSubstr("live"));
}

TEST_F(ServerTest, SendsNoBodyWithHead) {
  Start();
  Client client(server_->port());
  client.Send(Head("HEAD /health/live") + Head("GET /health/live"));
  EXPECT_THAT(client.Read(true), HasSubstr("Content-Length: 17\r\n"));
  EXPECT_THAT(client.Read(), HasSubstr("{\"status\":\"live\"}"));
}

TEST_F(ServerTest, ReadsABodyInChunks) {
  Start();
  Client client(server_->port());
  client.Send(Head("POST /predict", {"Transfer-Encoding: chunked"}));
  client.Send("8\r\n{\"text\":\r\n6;x=y\r\n\"good\"\r\n1\r\n}\r\n0\r\n\r\n");
  EXPECT_THAT(client.Read(), HasSubstr("POSITIVE"));
}

TEST_F(ServerTest, AnswersTheSameWhereverTheBytesPart) {
  Start();
  Client client(server_->port());
  const std::string requests =
      Cat(Predict(R"({"text":"good"})"), Head("POST /predict", {"Transfer-Encoding: chunked"}),
          "8\r\n{\"text\":\r\n6;x=y\r\n\"good\"\r\n1\r\n}\r\n0\r\n\r\n", Head("GET /health/live"));
  for (size_t first = 1; first < requests.size(); ++first) {
    client.Send(requests.substr(0, first));
    std::this_thread::sleep_for(std::chrono::microseconds(200));  // until the server has read that much
    client.Send(requests.substr(first));
    ASSERT_THAT(client.Read(), HasSubstr("POSITIVE")) << first;
    ASSERT_THAT(client.Read(), HasSubstr("POSITIVE")) << first;
    ASSERT_THAT(client.Read(), HasSubstr("live")) << first;
  }
}

TEST_F(ServerTest, AsksForTheBodyOfAnExpectingClient) {
  Start({}, {.api_key = "key"});
  Client client(server_->port());
  const std::string body = R"({"text":"good"})";
  client.Send(Head("POST /predict", {"Content-Length: 15", "Expect: 100-continue", "X-API-Key: key"}));
  EXPECT_EQ(client.Read(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send(body);
  EXPECT_THAT(client.Read(), HasSubstr("POSITIVE"));

  Client refused(server_->port());
  refused.Send(Head("POST /predict", {"Content-Length: 15", "Expect: 100-continue"}));
  EXPECT_THAT(refused.ReadToEnd(), StartsWith("HTTP/1.1 401 "));
}

TEST_F(ServerTest, KeepsTheConnectionOfARefusedRequestWithASmallBody) {
  Start();
  Client client(server_->port());
  client.Send(Cat(Head("POST /nothing", {"Content-Length: 5"}), "xxxxx", Head("GET /health/live")));
  EXPECT_THAT(client.Read(), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(client.Read(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServerTest, RestsAfterRefusalsForAFullQueueAlone) {
  constexpr int kRequests = 50;
  Start();
  Client client(server_->port());
  const auto ask = [&] {
    const auto began = std::chrono::steady_clock::now();
    for (int i = 0; i < kRequests; ++i) {
      client.Send(Predict(R"({"text":"good"})"));
      client.Read();
      std::this_thread::sleep_for(std::chrono::microseconds(200));  // the server finds nothing more to do
    }
    return std::chrono::steady_clock::now() - began;
  };
  const auto rests = kRequests / 2 * milliseconds(2);  // on a busy machine one may be for several
  EXPECT_TRUE(Eventually([&] { return ask() < rests; }));
  world_->engine.RefuseWith(MakeQueueFull("full", seconds(1)));
  EXPECT_GE(ask(), rests);
}

TEST_F(ServerTest, RefusesABodyThatIsAnnouncedTooLarge) {
  Start();
  Client client(server_->port());
  client.Send(Head("POST /predict", {"Content-Length: 1073741824"}));
  const std::string answer = client.Read();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(answer, HasSubstr("E4010"));
  EXPECT_THAT(answer, HasSubstr("the body has 1073741824 bytes, the limit is 8388608 (max-body-bytes)"));
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
  EXPECT_EQ(world_->Sample(R"(http_requests_total{method="POST",route="/api/v1/predict",status="413"})"), 1);
}

TEST_F(ServerTest, LetsAClientThatSendsTooMuchReadItsAnswer) {
  Start();
  Client client(server_->port());
  // The whole body first, as simple clients do: a reset meanwhile would lose the answer.
  client.Send(Predict(std::string(9 << 20, 'x')));
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 413 "));
}

TEST_F(ServerTest, RefusesABodyThatGrowsTooLarge) {
  Start({}, {.max_body_bytes = 1000});
  Client client(server_->port());
  const std::string chunk = Cat("200\r\n", std::string(0x200, 'x'), "\r\n");
  client.Send(Cat(Head("POST /predict", {"Transfer-Encoding: chunked"}), chunk, chunk, chunk));
  EXPECT_THAT(client.Read(), StartsWith("HTTP/1.1 413 "));
}

TEST_F(ServerTest, RefusesAHeadThatIsTooLarge) {
  Start();
  Client client(server_->port());
  client.Send(Head("GET /health", {"X-Long: " + std::string(40000, 'x')}));
  const std::string answer = client.ReadToEnd();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(answer, HasSubstr("E4012"));
  EXPECT_THAT(answer, HasSubstr("32768 bytes (max-header-bytes)"));
}

TEST_F(ServerTest, AnswersBytesThatAreNoHttpWith400) {
  Start();
  for (const std::string& bytes :
       {std::string("\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 11), std::string("GET\r\n\r\n"), std::string(100, '\0'),
        std::string("GET / HTTP/9.9\r\n\r\n"), std::string("GET / HTTP/1.1\r\nbad header\r\n\r\n"),
        std::string("POST /predict HTTP/1.1\r\nContent-Length: x\r\n\r\n"),
        std::string("POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")}) {
    Client client(server_->port());
    client.Send(bytes);
    const std::string answer = client.ReadToEnd();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 ")) << bytes;
    EXPECT_THAT(answer, HasSubstr("E1001"));
  }
}

TEST_F(ServerTest, TimesOutASlowHeadAndASlowBody) {
  Start({.header_timeout = milliseconds(50), .body_timeout = milliseconds(80)});
  Client head(server_->port());
  Client body(server_->port());
  head.Send("POST /predict HTTP/1.1\r\nHost: test\r\n");
  body.Send(Predict(R"({"text":"good"})").substr(0, 60));
  for (Client* client : {&head, &body}) {
    const std::string answer = client->ReadToEnd();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 408 "));
    EXPECT_THAT(answer, HasSubstr("E4008"));
    EXPECT_THAT(answer, HasSubstr(client == &head ? "the head did not come within 0.05 s (header-timeout)"
                                                  : "the body did not come within 0.08 s (body-timeout)"));
  }
}

TEST_F(ServerTest, ClosesASilentConnectionWithoutAWord) {
  Start({.header_timeout = milliseconds(30)});
  Client client(server_->port());
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST_F(ServerTest, ClosesAnIdleConnection) {
  Start({.idle_timeout = milliseconds(30)});
  Client client(server_->port());
  client.Send(Predict(R"({"text":"good"})"));
  EXPECT_THAT(client.ReadToEnd(), HasSubstr("POSITIVE"));
}

TEST_F(ServerTest, LetsARequestTakeLongerThanTheTimeouts) {
  Start({.header_timeout = milliseconds(20), .body_timeout = milliseconds(20), .idle_timeout = milliseconds(20)});
  world_->engine.Hold();
  Client client(server_->port());
  client.Send(Predict(R"({"text":"good"})"));
  ASSERT_TRUE(Eventually([&] { return world_->engine.held() == 1; }));
  // Other connections come and time out meanwhile: time has passed for this one as well.
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Client(server_->port()).ReadToEnd(), "");
  world_->engine.Release();
  EXPECT_THAT(client.Read(), HasSubstr("POSITIVE"));
}

TEST_F(ServerTest, ServesOthersWhileOneWaits) {
  Start();
  world_->engine.Hold();
  Client waiting(server_->port());
  waiting.Send(Predict(R"({"text":"good"})"));
  ASSERT_TRUE(Eventually([&] { return world_->engine.held() == 1; }));
  Client other(server_->port());
  other.Send(Head("GET /health/live"));
  EXPECT_THAT(other.Read(), HasSubstr("live"));
  world_->engine.Release();
  EXPECT_THAT(waiting.Read(), HasSubstr("POSITIVE"));
}

TEST_F(ServerTest, SurvivesClientsThatLeave) {
  Start();
  world_->engine.Hold();
  for (int i = 0; i < 5; ++i) {
    Client early(server_->port());
    early.Send(Predict(R"({"text":"good"})").substr(0, 40));
    Client late(server_->port());
    late.Send(Predict(R"({"text":"good"})"));
    ASSERT_TRUE(Eventually([&] { return world_->engine.submitted() == i + 1; }));
  }
  world_->engine.Release();
  EXPECT_TRUE(Eventually([&] { return server_->connections() == 0; }));
  Client client(server_->port());
  client.Send(Predict(R"({"text":"good"})"));
  EXPECT_THAT(client.Read(), HasSubstr("POSITIVE"));
}

TEST_F(ServerTest, HandlesLongBodiesBesideTheOthers) {
  Start();
  Client client(server_->port());
  const std::string text(9000, 'x');
  client.Send(Predict(Cat(R"({"text":")", text, "\"}")));
  EXPECT_THAT(client.Read(), HasSubstr("\"text_length\":9000,"));
}

TEST_F(ServerTest, RefusesABodyMoreThanAllTogetherMayHave) {
  constexpr size_t kMostBytes = 1024;
  Start({}, {.max_body_bytes = kMostBytes});
  std::string body = R"({"text":"good)";
  body.resize(kMostBytes - 2, '!');
  body += "\"}";
  const std::string request = Predict(body);
  // Each sends all but the last byte of its body.
  std::vector<std::unique_ptr<Client>> clients;
  for (size_t i = 0; i < kBodiesAtOnce; ++i) {
    clients.push_back(std::make_unique<Client>(server_->port()));
    clients.back()->Send(std::string_view(request).substr(0, request.size() - 1));
  }
  // One more is refused once all of them have been read, and not before.
  std::string refused;
  ASSERT_TRUE(Eventually([&] {
    Client more(server_->port());
    more.Send(request);
    refused = more.Read();
    return refused.starts_with("HTTP/1.1 429 ");
  })) << refused;
  EXPECT_THAT(refused, HasSubstr("8192 bytes (8 x max-body-bytes)"));
  EXPECT_THAT(refused, HasSubstr("Retry-After: 1\r\n"));
  EXPECT_THAT(refused, HasSubstr("Connection: close\r\n"));
  // Those that came before are answered, one's bytes serve the next, and nothing stays held.
  for (int round = 0; round < 2; ++round) {
    for (const auto& client : clients) {
      client->Send(round == 0 ? std::string_view(request).substr(request.size() - 1) : request);
      EXPECT_THAT(client->Read(), StartsWith("HTTP/1.1 200 OK\r\n"));
    }
  }
}

TEST_F(ServerTest, RefusesAConnectionMoreThanItMayHave) {
  Start({.max_connections = 1});
  Client first(server_->port());
  first.Send(Head("GET /health/live"));
  EXPECT_THAT(first.Read(), StartsWith("HTTP/1.1 200 "));
  Client second(server_->port());
  const std::string answer = second.Read();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 429 "));
  EXPECT_THAT(answer, HasSubstr("1 connections (max-connections)"));
  first.Leave();
  EXPECT_TRUE(Eventually([&] { return server_->connections() == 0; }));
  Client third(server_->port());
  third.Send(Head("GET /health/live"));
  EXPECT_THAT(third.Read(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServerTest, ClosesConnectionsWhileDraining) {
  Start();
  Client client(server_->port());
  client.Send(Predict(R"({"text":"good"})"));
  EXPECT_THAT(client.Read(), HasSubstr("POSITIVE"));
  world_->service.BeginDrain();
  client.Send(Predict(R"({"text":"good"})"));
  const std::string last = client.ReadToEnd();
  EXPECT_THAT(last, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(last, HasSubstr("Connection: close"));
}

TEST_F(ServerTest, StopsAfterTheAnswersThatAreOwed) {
  Start();
  world_->engine.Hold();
  Client idle(server_->port());
  idle.Send(Head("GET /health/live"));
  idle.Read();
  Client waiting(server_->port());
  waiting.Send(Predict(R"({"text":"good"})"));
  ASSERT_TRUE(Eventually([&] { return world_->engine.held() == 1; }));
  std::thread stopping([&] { server_->Stop(seconds(10)); });
  EXPECT_EQ(idle.ReadToEnd(), "");
  world_->engine.Release();
  const std::string answer = waiting.ReadToEnd();
  EXPECT_THAT(answer, HasSubstr("POSITIVE"));
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
  waiting.Leave();
  stopping.join();
  EXPECT_EQ(server_->connections(), 0);
}

TEST_F(ServerTest, StopsWithoutGraceWhereClientsLinger) {
  Start();
  Client half(server_->port());
  half.Send("POST /predict HTTP/1.1\r\n");
  ASSERT_TRUE(Eventually([&] { return server_->connections() == 1; }));
  server_->Stop(Duration::zero());
  EXPECT_EQ(server_->connections(), 0);
  EXPECT_EQ(half.ReadToEnd(), "");
}

TEST_F(ServerTest, ServesManyClientsOnSeveralThreads) {
  Start({.io_threads = 3});
  std::vector<std::thread> clients;
  std::atomic<int> answered{0};
  for (int c = 0; c < 8; ++c) {
    clients.emplace_back([&, c] {
      Client client(server_->port());
      for (int i = 0; i < 25; ++i) {
        const size_t length = static_cast<size_t>(1 + c * 25 + i);
        client.Send(Predict(Cat(R"({"text":")", std::string(length, 'x'), "\"}")));
        if (client.Read().find(Cat("\"text_length\":", length, ",")) != std::string::npos) ++answered;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(answered, 200);
}

TEST_F(ServerTest, NamesAnAddressItCannotTake) {
  Start();
  const std::string taken = server_->address();
  EXPECT_EQ(taken, Cat("127.0.0.1:", server_->port()));
  const auto second = HttpServer::Start({.listen = taken}, world_->app);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(Cat("listen ", taken, ": Address already in use")));
  for (const char* bad : {"", "8000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", ":8000"}) {
    const auto server = HttpServer::Start({.listen = bad}, world_->app);
    ASSERT_FALSE(server.ok()) << bad;
    EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(std::string(server.status().message()), HasSubstr("listen: ")) << bad;
  }
}

TEST_F(ServerTest, TakesNamesAndIpv6) {
  Start();
  for (const char* listen : {"localhost:0", "[::1]:0"}) {
    const auto server = HttpServer::Start({.listen = listen}, world_->app);
    if (!server.ok()) {
      EXPECT_EQ(listen, std::string_view("[::1]:0")) << server.status();  // a machine may have no IPv6
      continue;
    }
    EXPECT_GT((*server)->port(), 0);
  }
}

}  // namespace
}  // namespace ks
