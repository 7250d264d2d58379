// The engine under many threads: everyone gets their own answer, once, and nothing is lost. The tsan lane is where
// these earn their keep.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "base/thread.h"
#include "engine/engine.h"
#include "engine/error.h"
#include "engine/testing/tiny_model.h"

namespace ks {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

// Runs `body` on `count` threads and waits for all.
void OnThreads(int count, const std::function<void(int)>& body) {
  std::vector<std::unique_ptr<Thread>> threads;
  for (int i = 0; i < count; ++i) threads.push_back(std::make_unique<Thread>("client", [&body, i] { body(i); }));
}

std::vector<std::string> RandomBatch(std::mt19937& random) {
  const int size = random() % 4 == 0 ? 1 + static_cast<int>(random() % 40) : 1;
  std::vector<std::string> texts;
  for (int i = 0; i < size; ++i) {
    texts.push_back(TinyText(1 + static_cast<int>(random() % 62), static_cast<int>(random() % 10000)));
  }
  return texts;
}

void ExpectOwnAnswers(const ServedModel& model, const std::vector<std::string>& texts,
                      const absl::StatusOr<ClassifyResult>& result) {
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->results.size(), texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    ASSERT_THAT(result->results[i].logits, ElementsAreArray(ExpectedLogits(model, texts[i])));
  }
}

TEST(EngineThreads, GiveEachCallerItsOwnAnswers) {
  CountingMetrics metrics;
  const auto model = TinyModel({.workers = 3});
  const auto engine = *Engine::Create(model, {}, metrics, SystemClock());
  OnThreads(8, [&](int thread) {
    std::mt19937 random(static_cast<unsigned>(thread));
    for (int i = 0; i < 50; ++i) {
      const std::vector<std::string> texts = RandomBatch(random);
      ExpectOwnAnswers(*model, texts, engine->Classify(Inputs(texts), {.deadline = TimePoint::max() - Duration(1)}));
    }
  });
  EXPECT_EQ(metrics.counts().waits, 400);
  EXPECT_EQ(metrics.counts().queue_tokens, 0);
}

// Clients that wait, leave, or have no time; runs on one core and on all. Nothing runs beside a run on all cores.
TEST(EngineThreads, ServeSixtyFourClientsOnOneCoreOrAll) {
  constexpr int kClients = 64, kRequests = 20;
  std::atomic<int> narrow = 0, wide = 0;
  const auto narrow_hook = [&](const PackedBatch&) {
    ++narrow;
    std::this_thread::yield();
    EXPECT_EQ(wide, 0);
    --narrow;
    return absl::OkStatus();
  };
  const auto wide_hook = [&](const PackedBatch&) {
    EXPECT_EQ(wide++, 0);
    EXPECT_EQ(narrow, 0);
    std::this_thread::yield();
    --wide;
    return absl::OkStatus();
  };
  CountingMetrics metrics;
  const auto model = TinyModel({.workers = 3, .hook = narrow_hook});
  auto engine = *Engine::Create(model, {.least_part_tokens = 1}, metrics, SystemClock());
  ASSERT_TRUE(engine->AddWide("fake", std::make_unique<FakeBackend>(FakeFacts(), wide_hook)).ok());
  const auto be_a_client = [&](int seed) {
    std::mt19937 random(static_cast<unsigned>(seed));
    for (int i = 0; i < kRequests; ++i) {
      const std::vector<std::string> texts = RandomBatch(random);
      const unsigned kind = random() % 8;
      const ClassifyOptions options = {.deadline =
                                           kind == 0 ? SystemClock().Now() + std::chrono::microseconds(random() % 2000)
                                                     : TimePoint::max() - Duration(1)};
      const PendingAnswer answer = SubmitAsync(*engine, texts, options);
      if (kind == 1) engine->Cancel(answer.ticket);
      const absl::StatusOr<ClassifyResult> result = answer.Get();
      if (kind <= 1 && !result.ok()) {
        EXPECT_EQ(CodeOf(result.status()), kind == 0 ? ErrorCode::kDeadlinePassed : ErrorCode::kAbandoned);
      } else {
        ExpectOwnAnswers(*model, texts, result);
      }
    }
  };
  be_a_client(1000);  // alone
  OnThreads(kClients, be_a_client);
  be_a_client(1001);
  EXPECT_TRUE(engine->Drain(Duration::max()));
  engine.reset();  // ends the runs of batches whose remaining texts expired meanwhile, which Drain does not wait for
  EXPECT_EQ(metrics.counts().queue_tokens, 0);
  EXPECT_GT(metrics.counts().wide_runs, 0);
  EXPECT_GT(metrics.counts().runs, metrics.counts().wide_runs);
}

TEST(EngineThreads, NeverHoldMoreThanTheQueuesBound) {
  CountingMetrics metrics;
  const auto model = TinyModel({.workers = 2});
  const EngineOptions options = {.max_queue_tokens = 600, .max_batch_tokens = 600, .run_tokens = 128};
  std::atomic<int> answered = 0, refused = 0;
  {
    const auto engine = *Engine::Create(model, options, metrics, SystemClock());
    OnThreads(6, [&](int thread) {
      std::mt19937 random(static_cast<unsigned>(thread));
      for (int i = 0; i < 200; ++i) {
        const std::vector<std::string> texts(1 + random() % 8, TinyText(1 + static_cast<int>(random() % 62), i));
        engine->Submit(Inputs(texts), {.deadline = TimePoint::max() - Duration(1)},
                       [&](const absl::StatusOr<ClassifyResult>& result) {
                         if (result.ok()) {
                           ++answered;
                         } else {
                           EXPECT_EQ(CodeOf(result.status()), ErrorCode::kQueueFull);
                           ++refused;
                         }
                       });
      }
    });
  }
  EXPECT_EQ(answered + refused, 1200);
  EXPECT_GT(answered, 0);
  EXPECT_GT(refused, 0) << "the test must reach the bound";
  EXPECT_LE(metrics.counts().most_queue_tokens, 600);
  EXPECT_EQ(metrics.counts().queue_tokens, 0);
  EXPECT_EQ(metrics.counts().rejected[RejectReason::kQueueFull], refused);
}

// A run fails that holds a text of 13 tokens; of two runs in flight only one does.
TEST(EngineThreads, FailOnlyWhatWasInTheFailedRun) {
  CountingMetrics metrics;
  FakeGate gate;
  const auto model = TinyModel({.hook = [wait = gate.hook()](const PackedBatch& batch) {
    if (const absl::Status status = wait(batch); !status.ok()) return status;
    for (int i = 0; i < batch.sequences(); ++i) {
      if (batch.offsets[i + 1] - batch.offsets[i] == 13) return absl::InternalError("a text of 13 tokens");
    }
    return absl::OkStatus();
  }});
  const auto engine = *Engine::Create(model, {.run_tokens = 100}, metrics, SystemClock());
  const PendingAnswer before = SubmitAsync(*engine, {TinyText(20)});
  gate.WaitForArrivals(1);
  const PendingAnswer beside = SubmitAsync(*engine, {TinyText(60)});
  const PendingAnswer guilty = SubmitAsync(*engine, {TinyText(11)});
  const PendingAnswer after = SubmitAsync(*engine, {TinyText(62)});
  // The first of its parts fits into the run that fails; the others must not run any more.
  const PendingAnswer batch = SubmitAsync(*engine, std::vector<std::string>(9, TinyText(11)));
  gate.Open();
  ExpectOwnAnswers(*model, {TinyText(20)}, before.Get());
  ExpectOwnAnswers(*model, {TinyText(62)}, after.Get());
  for (const PendingAnswer& answer : {beside, guilty, batch}) {
    EXPECT_EQ(CodeOf(answer.Get().status()), ErrorCode::kInferenceFailed);
    EXPECT_THAT(std::string(answer.Get().status().message()), HasSubstr("a text of 13 tokens"));
  }
  EXPECT_TRUE(engine->Drain(std::chrono::seconds(60)));
  EXPECT_EQ(engine->state().queue_tokens, 0);
  EXPECT_EQ(metrics.counts().runs, 3) << "20; 60 + 13 + 13 fail; 62";
}

TEST(EngineThreads, AnswerEverythingBeforeTheEngineIsGone) {
  std::atomic<int> answered = 0;
  CountingMetrics metrics;
  const auto model = TinyModel({.workers = 2});
  {
    const auto engine = *Engine::Create(model, {}, metrics, SystemClock());
    OnThreads(4, [&](int thread) {
      std::mt19937 random(static_cast<unsigned>(thread));
      for (int i = 0; i < 25; ++i) {
        engine->Submit(Inputs(RandomBatch(random)), {}, [&](const absl::StatusOr<ClassifyResult>& result) {
          EXPECT_TRUE(result.ok()) << result.status();
          ++answered;
        });
      }
    });
  }  // busy still
  EXPECT_EQ(answered, 100);
  EXPECT_EQ(metrics.counts().queue_tokens, 0);
}

TEST(EngineThreads, DrainWhileOthersSubmitLosesNothing) {
  CountingMetrics metrics;
  const auto model = TinyModel({.workers = 2});
  const auto engine = *Engine::Create(model, {}, metrics, SystemClock());
  std::atomic<int> answered = 0, refused = 0;
  OnThreads(5, [&](int thread) {
    if (thread == 0) {
      EXPECT_TRUE(engine->Drain(Duration::max()));
      return;
    }
    for (int i = 0; i < 100; ++i) {
      engine->Submit(Inputs({TinyText(5, i)}), {}, [&](const absl::StatusOr<ClassifyResult>& result) {
        ++(result.ok() ? answered : refused);
        EXPECT_TRUE(result.ok() || CodeOf(result.status()) == ErrorCode::kDraining) << result.status();
      });
    }
  });
  EXPECT_EQ(answered + refused, 400);
  EXPECT_EQ(engine->state().queue_tokens, 0);
}

TEST(EngineThreads, MaySubmitFromAnAnswer) {
  CountingMetrics metrics;
  const auto engine = *Engine::Create(TinyModel(), {}, metrics, SystemClock());
  PendingAnswer second;
  engine->Submit(Inputs({TinyText(1)}), {}, [&](const absl::StatusOr<ClassifyResult>&) {
    engine->Submit(Inputs({TinyText(2)}), {}, second.done());
  });
  EXPECT_TRUE(second.Get().ok());
}

TEST(EngineThreads, KeepTheModelUntilTheLastAnswer) {
  CountingMetrics metrics;
  auto model = TinyModel();
  const std::weak_ptr<const ServedModel> watch = model;
  auto engine = *Engine::Create(std::move(model), {}, metrics, SystemClock());
  EXPECT_TRUE(SubmitAsync(*engine, {TinyText(1)}).Get().ok());
  EXPECT_FALSE(watch.expired());
  engine.reset();
  EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace ks
