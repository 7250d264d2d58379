// One text on all cores, several on one each: whom the engine gives what, and that nothing else starts meanwhile. Runs
// stand at gates, so that every situation is made on purpose.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/testing/tiny_model.h"

namespace ks {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

constexpr int kWorkers = 2;

BackendFacts WideFacts() {
  BackendFacts facts = FakeFacts();
  facts.threads = kWorkers;
  return facts;
}

class WideTest : public ::testing::Test {
 protected:
  ~WideTest() override {
    narrow_.Open();
    wide_.Open();
  }

  void Start(const EngineOptions& options = {}, const std::vector<std::string>& groups = {"fake"}) {
    model_ = TinyModel({.groups = groups, .workers = kWorkers, .hook = narrow_.hook()});
    engine_ = *Engine::Create(model_, options, metrics_, clock_);
    ASSERT_TRUE(engine_->AddWide("fake", std::make_unique<FakeBackend>(WideFacts(), wide_.hook())).ok());
  }
  PendingAnswer Submit(int tokens, int seed = 0) { return SubmitAsync(*engine_, {TinyText(tokens - 2, seed)}); }

  // A text inside the wide run.
  PendingAnswer OccupyAllCores() {
    PendingAnswer answer = Submit(20);
    wide_.WaitForArrivals(++wide_arrivals_);
    return answer;
  }

  ManualClock clock_;
  CountingMetrics metrics_;
  FakeGate narrow_, wide_;
  int wide_arrivals_ = 0;
  std::shared_ptr<const ServedModel> model_;
  std::unique_ptr<Engine> engine_;  // last: gone before what it uses
};

TEST_F(WideTest, GivesALoneTextAllCoresAgainAndAgain) {
  Start();
  wide_.Open();
  for (int i = 0; i < 5; ++i) {
    const auto result = Submit(10 + i, i).Get();
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_THAT(result->results[0].logits, ElementsAreArray(ExpectedLogits(*model_, TinyText(8 + i, i))));
  }
  engine_->Drain(seconds(60));
  EXPECT_EQ(metrics_.counts().wide_runs, 5);
  EXPECT_EQ(metrics_.counts().runs, 5);
}

TEST_F(WideTest, StartsNothingElseBesideIt) {
  Start({.least_part_tokens = 1});
  const PendingAnswer alone = OccupyAllCores();
  const std::vector<PendingAnswer> others = {Submit(10), Submit(11)};
  // Both workers are free to take what waits, but may not. Were one to start, it would come to the gate.
  EXPECT_EQ(narrow_.arrivals(), 0);
  wide_.LetOnePass();
  EXPECT_TRUE(alone.Get().ok());
  narrow_.WaitForArrivals(2);  // one a core
  narrow_.Open();
  for (const PendingAnswer& answer : others) EXPECT_TRUE(answer.Get().ok());
  engine_->Drain(seconds(60));
  EXPECT_EQ(metrics_.counts().wide_runs, 1);
  EXPECT_EQ(metrics_.counts().runs, 3);
}

TEST_F(WideTest, HoldsTheOtherBackendsBackAsWell) {
  Start({.routing = {.allowed = {"other"}}}, {"fake", "other"});
  const PendingAnswer alone = OccupyAllCores();
  const PendingAnswer other = SubmitAsync(*engine_, {TinyText(5)}, {.backend = "other"});
  EXPECT_EQ(narrow_.arrivals(), 0);
  wide_.LetOnePass();
  narrow_.WaitForArrivals(1);
  // And beside a run of theirs one core is all that a text gets.
  const PendingAnswer beside = Submit(7);
  narrow_.WaitForArrivals(2);
  narrow_.Open();
  for (const PendingAnswer& answer : {alone, other, beside}) EXPECT_TRUE(answer.Get().ok());
}

TEST_F(WideTest, GivesOneCoreToWhatCameWhileAnotherWasAnswered) {
  Start();
  const PendingAnswer first = OccupyAllCores();
  const PendingAnswer second = Submit(10);
  wide_.LetOnePass();
  narrow_.WaitForArrivals(1);
  const PendingAnswer third = Submit(10);
  narrow_.WaitForArrivals(2);
  narrow_.Open();
  for (const PendingAnswer& answer : {first, second, third}) EXPECT_TRUE(answer.Get().ok());
}

TEST_F(WideTest, AnswersOnTimeWhatExpiresMeanwhile) {
  Start();
  const PendingAnswer alone = OccupyAllCores();
  const PendingAnswer hasty = SubmitAsync(*engine_, {TinyText(5)}, {.deadline = clock_.Now() + seconds(1)});
  clock_.Advance(seconds(1));
  EXPECT_THAT(std::string(hasty.Get().status().message()), HasSubstr("the deadline passed after 1000 ms"));
  wide_.Open();
  EXPECT_TRUE(alone.Get().ok());
}

TEST_F(WideTest, CountsAsAWorkerThatMayBeStuck) {
  Start({.stall_timeout = seconds(30)});
  const PendingAnswer stuck = OccupyAllCores();
  clock_.Advance(seconds(31));
  EXPECT_TRUE(engine_->state().stalled);
  wide_.Open();
  EXPECT_TRUE(stuck.Get().ok());
}

TEST_F(WideTest, DividesABatchAmongTheCores) {
  Start({});  // runs of at least 32 tokens, as the backend says
  const PendingAnswer batch = SubmitAsync(*engine_, std::vector<std::string>(4, TinyText(62)));
  narrow_.WaitForArrivals(2);  // of at most 512 tokens, so one run could hold all
  // One by one, so that each run starts beside another: the last text of a batch has all cores where they are idle.
  for (int arrivals : {3, 4}) {
    narrow_.LetOnePass();
    narrow_.WaitForArrivals(arrivals);
  }
  narrow_.Open();
  EXPECT_TRUE(batch.Get().ok());
  engine_->Drain(seconds(60));
  EXPECT_EQ(metrics_.counts().runs, 4);  // two for each worker
  EXPECT_EQ(metrics_.counts().wide_runs, 0);
}

TEST_F(WideTest, GoesOnAfterARunOnAllCoresFailed) {
  model_ = TinyModel({.workers = kWorkers});
  engine_ = *Engine::Create(model_, {}, metrics_, clock_);
  const auto fails = [](const PackedBatch&) { return absl::InternalError("out of order"); };
  ASSERT_TRUE(engine_->AddWide("fake", std::make_unique<FakeBackend>(WideFacts(), fails)).ok());
  EXPECT_THAT(std::string(Submit(5).Get().status().message()), HasSubstr("out of order"));
  EXPECT_TRUE(SubmitAsync(*engine_, {TinyText(3), TinyText(4)}).Get().ok());
}

TEST_F(WideTest, RefusesABackendThatDoesNotFit) {
  Start();
  const auto refusal = [&](const std::string& group, const BackendFacts& facts) {
    return std::string(engine_->AddWide(group, std::make_unique<FakeBackend>(facts)).message());
  };
  EXPECT_THAT(refusal("fake", WideFacts()), HasSubstr("backend fake has one already"));
  EXPECT_THAT(refusal("onnx", WideFacts()), HasSubstr("no backend onnx"));
  engine_ = *Engine::Create(model_, {}, metrics_, clock_);
  BackendFacts facts = WideFacts();
  facts.classes = 4;
  EXPECT_THAT(refusal("fake", facts), HasSubstr("classes: expected 3"));
  facts = WideFacts();
  facts.max_tokens = 64;
  EXPECT_THAT(refusal("fake", facts), HasSubstr("max_tokens: expected at least 512 as the workers run, found 64"));
}

}  // namespace
}  // namespace ks
