// Sockets, app, service and the engine as they are in the program, over fake backends: what load and a stuck worker do.
// The tsan lane is where the many clients earn their keep.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <charconv>
#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/thread.h"
#include "engine/engine.h"
#include "engine/testing/tiny_model.h"
#include "serving/http/app.h"
#include "serving/http/server.h"
#include "serving/service.h"
#include "serving/testing/client.h"

namespace ks {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int kWorkers = 2;

ModelDescription DescriptionOf(const Manifest& manifest) {
  ModelDescription description;
  description.name = manifest.name;
  description.backends = description.answering = description.allowed = {"fake"};
  description.labels = manifest.spec.labels;
  description.window = manifest.window;
  return description;
}

class WholeServerTest : public ::testing::Test {
 protected:
  ~WholeServerTest() override { gate_.Open(); }

  void Start(const FakeBackend::Hook& hook, const EngineOptions& options = {}) {
    model_ = TinyModel({.workers = kWorkers, .hook = hook});
    ModelMetrics& series = metrics_.AddModel({"tiny", model_->spec().labels, {"fake"}});
    engine_ = *Engine::Create(model_, options, series, clock_);
    BackendFacts wide = FakeFacts();
    wide.threads = kWorkers;
    ASSERT_TRUE(engine_->AddWide("fake", std::make_unique<FakeBackend>(wide, hook)).ok());
    service_ = std::make_unique<Service>(*engine_, series, DescriptionOf(model_->manifest()), ServiceOptions{}, clock_);
    app_ = std::make_unique<App>(*service_, metrics_, log_, AppOptions{});
    server_ = *HttpServer::Start({.listen = "127.0.0.1:0"}, *app_);
    service_->SetReady();
  }

  // The first score of the model's first label in an answer.
  static double FirstScore(const std::string& answer) {
    const size_t at = answer.find("\"NEGATIVE\":");
    double score = -1;
    if (at != std::string::npos) std::from_chars(answer.data() + at + 11, answer.data() + answer.size(), score);
    return score;
  }
  double ExpectedScore(const std::string& text) const {
    const std::vector<float> logits = ExpectedLogits(*model_, text);
    double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - logits[0]);
    return 1 / sum;
  }

  ManualClock clock_;
  FakeGate gate_;
  Metrics metrics_;
  Log log_{LogLevel::kError, [](std::string_view) {}};
  std::shared_ptr<const ServedModel> model_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<App> app_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(WholeServerTest, FailsLivenessWhileAWorkerIsStuckAndNotOtherwise) {
  Start(gate_.hook(), {.stall_timeout = seconds(30)});
  const auto ask = [&](const char* path) {
    Client client(server_->port());
    client.Send(Head(Cat("GET ", path)));
    return client.Read();
  };
  EXPECT_THAT(ask("/health/live"), StartsWith("HTTP/1.1 200 "));
  Client stuck(server_->port());
  stuck.Send(Predict(R"({"text":"w1"})"));
  gate_.WaitForArrivals(1);
  clock_.Advance(seconds(30));
  EXPECT_THAT(ask("/health/live"), StartsWith("HTTP/1.1 200 ")) << "a long run is no stall yet";
  clock_.Advance(Duration(1));
  for (const char* path : {"/health/live", "/health/ready", "/health"}) {
    const std::string answer = ask(path);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 ")) << path;
    EXPECT_THAT(answer, HasSubstr("longer than 30 s (stall-timeout)")) << path;
  }
  gate_.Open();
  EXPECT_THAT(stuck.Read(), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask("/health/live"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(WholeServerTest, StaysReadyWithAFullQueue) {
  Start(gate_.hook(), {.max_queue_tokens = 64, .max_batch_tokens = 64, .run_tokens = 64});
  Client running(server_->port());
  running.Send(Predict(Cat(R"({"text":")", TinyText(62), "\"}")));
  gate_.WaitForArrivals(1);
  Client refused(server_->port());
  refused.Send(Predict(R"({"text":"w1"})"));
  const std::string answer = refused.Read();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 429 "));
  EXPECT_THAT(answer, HasSubstr("Retry-After: 1\r\n"));
  refused.Send(Head("GET /health/ready"));
  EXPECT_THAT(refused.Read(), StartsWith("HTTP/1.1 200 "));
  gate_.Open();
  EXPECT_THAT(running.Read(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(WholeServerTest, RunsNothingForAClientThatLeft) {
  Start(gate_.hook());
  Client running(server_->port());
  running.Send(Predict(R"({"text":"w1"})"));
  gate_.WaitForArrivals(1);
  auto leaving = std::make_unique<Client>(server_->port());
  leaving->Send(Predict(R"({"text":"w1 w2 w3"})"));
  while (engine_->state().queue_tokens != 3 + 5) std::this_thread::yield();
  leaving.reset();
  while (engine_->state().queue_tokens != 3) std::this_thread::yield();
  gate_.Open();
  EXPECT_THAT(running.Read(), StartsWith("HTTP/1.1 200 "));
  engine_->Drain(seconds(60));
  EXPECT_THAT(metrics_.Scrape(), HasSubstr(R"(ml_batch_tokens_sum{model="tiny"} 3)"));
  EXPECT_THAT(metrics_.Scrape(), HasSubstr(R"(ml_rejected_total{model="tiny",reason="abandoned"} 1)"));
}

// Some clients leave without their answer; the others get their own, every time.
TEST_F(WholeServerTest, GivesEachOf64ClientsItsOwnAnswers) {
  Start(nullptr);
  constexpr int kClients = 64, kRequests = 12;
  std::atomic<int> answered = 0;
  std::vector<std::unique_ptr<Thread>> threads;
  for (int c = 0; c < kClients; ++c) {
    threads.push_back(std::make_unique<Thread>("client", [this, c, &answered] {
      std::mt19937 random(static_cast<unsigned>(c));
      auto client = std::make_unique<Client>(server_->port());
      for (int i = 0; i < kRequests; ++i) {
        const std::string text = TinyText(1 + static_cast<int>(random() % 62), static_cast<int>(random() % 10000));
        client->Send(Predict(Cat(R"({"text":")", text, "\"}")));
        if (random() % 8 == 0) {
          client = std::make_unique<Client>(server_->port());
          continue;
        }
        const std::string answer = client->Read();
        ASSERT_THAT(answer, StartsWith("HTTP/1.1 200 "));
        ASSERT_NEAR(FirstScore(answer), ExpectedScore(text), 1e-5) << answer;
        ++answered;
      }
    }));
  }
  threads.clear();
  EXPECT_GT(answered, kClients * kRequests / 2);
  EXPECT_TRUE(engine_->Drain(seconds(60)));
  EXPECT_EQ(engine_->state().queue_tokens, 0);
}

}  // namespace
}  // namespace ks
