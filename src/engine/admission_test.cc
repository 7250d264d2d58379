// What the engine refuses, drops and gives up: the queue's bound, deadlines, draining, stalls. Workers stand at a gate
// and time moves by hand, so that every situation is made on purpose.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "engine/engine.h"
#include "engine/error.h"
#include "engine/testing/tiny_model.h"

namespace ks {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class AdmissionTest : public ::testing::Test {
 protected:
  ~AdmissionTest() override { gate_.Open(); }

  // Every run waits at the gate, then takes `run_time_`, then fails if `fail_` is set.
  void Start(const EngineOptions& options = {}, int workers = 1, std::vector<std::string> groups = {"fake"}) {
    const auto hook = [this, wait = gate_.hook()](const PackedBatch& batch) {
      const absl::Status status = wait(batch);
      clock_.Advance(run_time_);
      return fail_ ? absl::InternalError("out of order") : status;
    };
    engine_ =
        *Engine::Create(TinyModel({.groups = groups, .workers = workers, .hook = hook}), options, metrics_, clock_);
  }

  // A request of `tokens` tokens, at most a window.
  PendingAnswer Submit(int tokens, const ClassifyOptions& options = {}) {
    return SubmitAsync(*engine_, {TinyText(tokens - 2)}, options);
  }

  ClassifyOptions Within(Duration time) const { return {.deadline = clock_.Now() + time}; }

  // Fills the only worker with one request, which stays inside Run until the gate lets it pass.
  PendingAnswer OccupyWorker(int tokens = 64) {
    PendingAnswer answer = Submit(tokens);
    gate_.WaitForArrivals(++arrivals_);
    return answer;
  }

  // Teaches the engine its speed: one full run of 64 tokens in `run_time_`.
  void Measure(Duration run_time) {
    run_time_ = run_time;
    const PendingAnswer answer = OccupyWorker();
    gate_.LetOnePass();
    ASSERT_TRUE(answer.Get().ok());
    run_time_ = Duration(0);
  }

  static void ExpectError(const absl::Status& status, ErrorCode code, const std::string& message) {
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(CodeOf(status), code);
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  }
  static void ExpectError(const PendingAnswer& answer, ErrorCode code, const std::string& message) {
    ExpectError(answer.Get().status(), code, message);
  }
  // Of a refusal, which comes before Submit returns.
  static void ExpectRefusal(const PendingAnswer& answer, ErrorCode code, const std::string& message) {
    ASSERT_TRUE(answer.arrived());
    ExpectError(answer, code, message);
  }

  ManualClock clock_;
  CountingMetrics metrics_;
  FakeGate gate_;
  std::atomic<Duration> run_time_ = Duration(0);
  std::atomic<bool> fail_ = false;
  int arrivals_ = 0;
  std::unique_ptr<Engine> engine_;  // last: gone before what it uses
};

const EngineOptions kSmallQueue = {.max_queue_tokens = 200, .max_batch_tokens = 150, .run_tokens = 64};

TEST_F(AdmissionTest, RefusesWhatTheQueueCannotHold) {
  Start(kSmallQueue);
  const PendingAnswer running = OccupyWorker(64);
  const PendingAnswer waiting = Submit(60);
  ExpectRefusal(SubmitAsync(*engine_, std::vector<std::string>(2, TinyText(37))), ErrorCode::kQueueFull,
                "the queue holds 124 tokens of 200 (max-queue-tokens): no room for 78 more tokens");
  const PendingAnswer fits = SubmitAsync(*engine_, std::vector<std::string>(2, TinyText(36)));
  EXPECT_EQ(engine_->state().queue_tokens, 200) << "what runs counts as well";
  ExpectRefusal(Submit(3), ErrorCode::kQueueFull, "holds 200 tokens");
  gate_.Open();
  for (const PendingAnswer& answer : {running, waiting, fits}) EXPECT_TRUE(answer.Get().ok());
  EXPECT_EQ(metrics_.counts().most_queue_tokens, 200);
  EXPECT_THAT(metrics_.counts().rejected, ElementsAre(Pair(RejectReason::kQueueFull, 2)));
}

TEST_F(AdmissionTest, TellsWhenTheQueueWillHaveDrained) {
  Start(kSmallQueue);
  const PendingAnswer running = OccupyWorker(64);
  const PendingAnswer waiting = SubmitAsync(*engine_, std::vector<std::string>(2, TinyText(62)));
  const PendingAnswer refused = Submit(20);
  EXPECT_EQ(RetryAfterOf(refused.Get().status()), seconds(1)) << "nothing measured yet";
  gate_.Open();
  EXPECT_TRUE(running.Get().ok());
  EXPECT_TRUE(waiting.Get().ok());
}

TEST_F(AdmissionTest, TellsRetryAfterFromTheMeasuredRate) {
  Start(kSmallQueue);
  Measure(seconds(2));  // 32 tokens a second
  EXPECT_DOUBLE_EQ(engine_->state().tokens_per_second, 32);
  const PendingAnswer running = OccupyWorker(64);
  const PendingAnswer waiting = SubmitAsync(*engine_, std::vector<std::string>(2, TinyText(62)));
  // 128 tokens wait: 4 s. The one token more that asks makes no difference.
  const absl::Status refused = Submit(20).Get().status();
  EXPECT_EQ(CodeOf(refused), ErrorCode::kQueueFull);
  EXPECT_EQ(RetryAfterOf(refused), seconds(4));
  gate_.Open();
  EXPECT_TRUE(waiting.Get().ok());
}

TEST_F(AdmissionTest, AdmitsABatchWholeOrNotAtAll) {
  Start(kSmallQueue);
  const PendingAnswer running = OccupyWorker(64);
  ExpectRefusal(SubmitAsync(*engine_, std::vector<std::string>(3, TinyText(48))), ErrorCode::kQueueFull, "150");
  EXPECT_EQ(engine_->state().queue_tokens, 64) << "no part of it is left behind";
  gate_.Open();
  EXPECT_TRUE(running.Get().ok());
  EXPECT_EQ(metrics_.counts().queue_tokens, 0);
}

TEST_F(AdmissionTest, RefusesADeadlineThatHasPassed) {
  Start();
  ExpectRefusal(Submit(10, Within(Duration(0))), ErrorCode::kDeadlinePassed, "the deadline has passed");
  EXPECT_THAT(metrics_.counts().rejected, ElementsAre(Pair(RejectReason::kDeadline, 1)));
}

TEST_F(AdmissionTest, RefusesADeadlineThatTheQueueCannotMeet) {
  Start({.run_tokens = 64});
  Measure(seconds(1));  // 64 tokens a second
  const PendingAnswer running = OccupyWorker(64);
  const PendingAnswer waiting = Submit(64);
  ExpectRefusal(Submit(32, Within(milliseconds(1499))), ErrorCode::kDeadlinePassed,
                "the deadline is in 1499 ms, the queue needs 1500 ms");
  const PendingAnswer possible = Submit(32, Within(milliseconds(1500)));
  gate_.Open();
  for (const PendingAnswer& answer : {running, waiting, possible}) EXPECT_TRUE(answer.Get().ok());
}

TEST_F(AdmissionTest, DoesNotCountBulkAheadOfAShortRequest) {
  Start({.run_tokens = 64});
  Measure(seconds(1));
  const PendingAnswer running = OccupyWorker(64);
  const PendingAnswer bulk = SubmitAsync(*engine_, std::vector<std::string>(4, TinyText(62)));
  const PendingAnswer possible = Submit(32, Within(milliseconds(500)));
  ExpectRefusal(SubmitAsync(*engine_, std::vector<std::string>(2, TinyText(62)), Within(seconds(6))),
                ErrorCode::kDeadlinePassed, "the queue needs 6500 ms");
  EXPECT_FALSE(possible.arrived());
  gate_.Open();
  for (const PendingAnswer& answer : {running, bulk, possible}) EXPECT_TRUE(answer.Get().ok());
}

TEST_F(AdmissionTest, DropsWhatExpiresWhileWaiting) {
  Start();
  const PendingAnswer running = OccupyWorker();
  const PendingAnswer hasty = Submit(10, Within(milliseconds(100)));
  const PendingAnswer patient = Submit(12);
  clock_.Advance(milliseconds(100));
  gate_.Open();
  ExpectError(hasty, ErrorCode::kDeadlinePassed, "the deadline passed after 100 ms in the queue");
  EXPECT_TRUE(running.Get().ok()) << "what runs is not dropped";
  EXPECT_TRUE(patient.Get().ok());
  engine_->Drain(seconds(0));
  EXPECT_EQ(metrics_.counts().run_tokens, 64 + 12) << "the dropped one never ran";
  EXPECT_EQ(metrics_.counts().waits, 3);
  EXPECT_THAT(metrics_.counts().rejected, ElementsAre(Pair(RejectReason::kDeadline, 1)));
}

TEST_F(AdmissionTest, AnswersOnTimeWhatExpiresWhileEveryWorkerIsBusy) {
  Start();
  const PendingAnswer running = OccupyWorker();
  const PendingAnswer patient = Submit(12);
  const PendingAnswer hasty = Submit(10, Within(milliseconds(1)));
  const PendingAnswer hastier = Submit(10, Within(Duration(1)));
  clock_.Advance(Duration(1));
  ExpectError(hastier, ErrorCode::kDeadlinePassed, "after 0 ms in the queue");
  clock_.Advance(milliseconds(1));
  ExpectError(hasty, ErrorCode::kDeadlinePassed, "after 1 ms in the queue");
  EXPECT_FALSE(patient.arrived());
  gate_.Open();
  EXPECT_TRUE(running.Get().ok());
  EXPECT_TRUE(patient.Get().ok());
}

// The rest of a batch was not waiting for a worker when it came: an idle one took its first part at once.
TEST_F(AdmissionTest, AnswersOnTimeTheRestOfABatchThatExpires) {
  Start({.run_tokens = 64});
  Measure(Duration(0));  // by now the worker has started
  const PendingAnswer batch = SubmitAsync(*engine_, std::vector<std::string>(5, TinyText(62)), Within(milliseconds(1)));
  gate_.WaitForArrivals(2);
  clock_.Advance(milliseconds(1));
  ExpectError(batch, ErrorCode::kDeadlinePassed, "after 1 ms in the queue");
}

TEST_F(AdmissionTest, DropsTheRestOfABatchThatExpiresHalfway) {
  Start({.run_tokens = 64});
  const PendingAnswer batch = SubmitAsync(*engine_, std::vector<std::string>(5, TinyText(62)), Within(seconds(1)));
  gate_.WaitForArrivals(1);
  clock_.Advance(seconds(1));
  gate_.LetOnePass();
  ExpectError(batch, ErrorCode::kDeadlinePassed, "after 1000 ms");
  EXPECT_TRUE(engine_->Drain(seconds(1)));
  engine_.reset();  // the run that was under way ends
  EXPECT_EQ(metrics_.counts().runs, 1);
  EXPECT_EQ(metrics_.counts().queue_tokens, 0);
}

// Two workers hold a part each; while one drops the expired batch the other is still at it, and fails.
TEST_F(AdmissionTest, AnswersABatchOnceThatExpiresAndFails) {
  Start({.run_tokens = 64}, 2);
  const PendingAnswer batch = SubmitAsync(*engine_, std::vector<std::string>(3, TinyText(62)), Within(seconds(1)));
  gate_.WaitForArrivals(2);
  clock_.Advance(seconds(1));
  gate_.LetOnePass();
  ExpectError(batch, ErrorCode::kDeadlinePassed, "after 1000 ms");
  fail_ = true;
  gate_.Open();
  EXPECT_TRUE(engine_->Drain(seconds(60)));
}

TEST_F(AdmissionTest, TakesOutWhatNobodyWaitsForAnyMore) {
  Start(kSmallQueue);
  const PendingAnswer running = OccupyWorker(64);
  const PendingAnswer before = Submit(20), left = Submit(60), after = Submit(30);
  ExpectRefusal(Submit(50), ErrorCode::kQueueFull, "holds 174 tokens");
  engine_->Cancel(left.ticket);
  ExpectRefusal(left, ErrorCode::kAbandoned, "the client left while the request waited");
  EXPECT_EQ(engine_->state().queue_tokens, 64 + 20 + 30);
  const PendingAnswer fits = Submit(50);
  engine_->Cancel(left.ticket);  // again: nothing
  gate_.Open();
  for (const PendingAnswer& answer : {running, before, after, fits}) EXPECT_TRUE(answer.Get().ok());
  engine_->Drain(seconds(60));
  EXPECT_EQ(metrics_.counts().run_tokens, 64 + 20 + 30 + 50) << "the abandoned one never ran";
  EXPECT_EQ(metrics_.counts().rejected[RejectReason::kAbandoned], 1);
}

TEST_F(AdmissionTest, TakesOutTheRestOfABatchNobodyWaitsFor) {
  Start({.run_tokens = 64});
  const PendingAnswer batch = SubmitAsync(*engine_, std::vector<std::string>(5, TinyText(62)));
  gate_.WaitForArrivals(1);
  engine_->Cancel(batch.ticket);
  ExpectRefusal(batch, ErrorCode::kAbandoned, "left");
  EXPECT_EQ(engine_->state().queue_tokens, 64) << "the part that runs";
  gate_.Open();
  EXPECT_TRUE(engine_->Drain(seconds(60)));
  engine_.reset();
  EXPECT_EQ(metrics_.counts().runs, 1);
  EXPECT_EQ(metrics_.counts().queue_tokens, 0);
}

TEST_F(AdmissionTest, AnswersAsUsualWhatRunsAlready) {
  Start();
  const PendingAnswer running = OccupyWorker();
  engine_->Cancel(running.ticket);
  EXPECT_FALSE(running.arrived());
  gate_.Open();
  EXPECT_TRUE(running.Get().ok());
  engine_->Cancel(running.ticket);
  engine_->Cancel({});
  engine_->Drain(seconds(60));
  EXPECT_THAT(metrics_.counts().rejected, ::testing::IsEmpty());
}

TEST_F(AdmissionTest, GivesTheDefaultDeadlineToWhoNamesNone) {
  Start({.default_deadline = seconds(3)});
  const PendingAnswer running = OccupyWorker();
  const PendingAnswer waiting = Submit(10);
  clock_.Advance(seconds(3));
  gate_.Open();
  ExpectError(waiting, ErrorCode::kDeadlinePassed, "after 3000 ms");
}

TEST_F(AdmissionTest, WaitsForEverWhereTheDefaultIsNoDeadline) {
  Start({.default_deadline = Duration::max()});
  const PendingAnswer running = OccupyWorker();
  const PendingAnswer waiting = Submit(10);
  clock_.Advance(std::chrono::hours(1000));
  gate_.Open();
  EXPECT_TRUE(waiting.Get().ok());
}

TEST_F(AdmissionTest, ChecksBeforehandWhatAdmissionWouldSay) {
  Start(kSmallQueue);
  EXPECT_TRUE(engine_->Precheck(TimePoint::max()).ok());
  ExpectError(engine_->Precheck(clock_.Now()), ErrorCode::kDeadlinePassed, "has passed");
  Measure(seconds(1));  // 64 tokens a second
  const PendingAnswer running = OccupyWorker(64);
  std::vector<PendingAnswer> waiting = {Submit(64)};
  ExpectError(engine_->Precheck(clock_.Now() + seconds(1)), ErrorCode::kDeadlinePassed, "the queue needs 1015 ms");
  EXPECT_TRUE(engine_->Precheck(clock_.Now() + seconds(2)).ok());
  waiting.push_back(Submit(64));
  waiting.push_back(Submit(8));
  const absl::Status full = engine_->Precheck(TimePoint::max());
  ExpectError(full, ErrorCode::kQueueFull, "no room for 1 more");
  EXPECT_EQ(RetryAfterOf(full), seconds(3));
  gate_.Open();
  EXPECT_TRUE(engine_->Drain(seconds(60)));
  ExpectError(engine_->Precheck(TimePoint::max()), ErrorCode::kDraining, "shutting down");
  EXPECT_THAT(metrics_.counts().rejected,
              ElementsAre(Pair(RejectReason::kQueueFull, 1), Pair(RejectReason::kDeadline, 2),
                          Pair(RejectReason::kDraining, 1)));
}

TEST_F(AdmissionTest, RefusesBeforeItTokenises) {
  Start(kSmallQueue);
  const PendingAnswer running = OccupyWorker(64);
  const PendingAnswer waiting = SubmitAsync(*engine_, {TinyText(62), TinyText(62), TinyText(6)});
  // Were the text looked at, the error would be kInvalidInput.
  ExpectRefusal(SubmitAsync(*engine_, {"\xff"}), ErrorCode::kQueueFull, "no room for 1 more");
  ExpectRefusal(SubmitAsync(*engine_, {"\xff"}, Within(Duration(0))), ErrorCode::kDeadlinePassed, "has passed");
  gate_.Open();
  EXPECT_TRUE(waiting.Get().ok());
  engine_->Drain(seconds(1));
  ExpectRefusal(SubmitAsync(*engine_, {"\xff"}), ErrorCode::kDraining, "shutting down");
}

// Otherwise most of those who ask a full queue would be tokenised for nothing, and short texts alone get in.
TEST_F(AdmissionTest, RefusesShortTextsBeforehandWhereALongOneHasNoRoom) {
  Start({.max_queue_tokens = 256 * 10, .max_batch_tokens = 150, .run_tokens = 64});
  const PendingAnswer running = OccupyWorker(64);
  std::vector<PendingAnswer> waiting;
  for (int tokens = 64; tokens + 60 <= 256 * 10 - 10; tokens += 60) waiting.push_back(Submit(60));
  const int left = 256 * 10 - 64 - 60 * static_cast<int>(waiting.size());
  ASSERT_GE(left, 10 + 3);
  EXPECT_TRUE(engine_->Precheck(TimePoint::max()).ok());
  waiting.push_back(Submit(left - 10));
  EXPECT_TRUE(engine_->Precheck(TimePoint::max()).ok()) << "room for 10";
  waiting.push_back(Submit(3));
  ExpectError(engine_->Precheck(TimePoint::max()), ErrorCode::kQueueFull, "no room for 10 more tokens");
  ExpectRefusal(SubmitAsync(*engine_, {"\xff"}), ErrorCode::kQueueFull, "no room for 10 more tokens");
  ExpectRefusal(Submit(3), ErrorCode::kQueueFull, "no room for 10 more tokens");
  gate_.Open();
  for (const PendingAnswer& answer : waiting) EXPECT_TRUE(answer.Get().ok());
}

// A small queue is not cut by a window.
TEST_F(AdmissionTest, FillsASmallQueueToTheLastToken) {
  Start(kSmallQueue);
  const PendingAnswer running = OccupyWorker(64);
  std::vector<PendingAnswer> waiting;
  waiting.push_back(Submit(64));
  waiting.push_back(Submit(64));
  waiting.push_back(Submit(8));
  ExpectRefusal(Submit(3), ErrorCode::kQueueFull, "the queue holds 200 tokens of 200");
  gate_.Open();
  for (const PendingAnswer& answer : waiting) EXPECT_TRUE(answer.Get().ok());
}

TEST_F(AdmissionTest, AnswersAllThatWasAdmittedWhenItDrains) {
  Start();
  std::vector<PendingAnswer> admitted = {OccupyWorker()};
  for (int i = 0; i < 20; ++i) admitted.push_back(Submit(10 + i));
  gate_.Open();
  EXPECT_TRUE(engine_->Drain(seconds(60)));
  for (const PendingAnswer& answer : admitted) {
    ASSERT_TRUE(answer.arrived()) << "Drain waits for the last answer";
    EXPECT_TRUE(answer.Get().ok());
  }
  ExpectRefusal(Submit(10), ErrorCode::kDraining, "shutting down");
  EXPECT_TRUE(engine_->state().draining);
  EXPECT_TRUE(engine_->Drain(seconds(0))) << "again";
}

TEST_F(AdmissionTest, AnswersWhatStillWaitsWhenTheTimeIsUp) {
  Start();
  const PendingAnswer running = OccupyWorker();
  const PendingAnswer waiting = Submit(10);
  EXPECT_FALSE(engine_->Drain(seconds(0)));
  ExpectRefusal(waiting, ErrorCode::kDraining, "shut down before the request's turn came");
  EXPECT_FALSE(running.arrived());
  gate_.Open();
  EXPECT_TRUE(running.Get().ok());
  EXPECT_TRUE(engine_->Drain(seconds(60)));
  EXPECT_EQ(metrics_.counts().queue_tokens, 0);
  EXPECT_THAT(metrics_.counts().rejected, ElementsAre(Pair(RejectReason::kDraining, 1)));
}

TEST_F(AdmissionTest, SaysThatAWorkerIsStuck) {
  Start({.stall_timeout = seconds(30)}, 2);
  EXPECT_FALSE(engine_->state().stalled);
  const PendingAnswer stuck = OccupyWorker();
  clock_.Advance(seconds(30));
  EXPECT_FALSE(engine_->state().stalled);
  clock_.Advance(Duration(1));
  EXPECT_TRUE(engine_->state().stalled);
  gate_.Open();
  EXPECT_TRUE(stuck.Get().ok());
  engine_->Drain(seconds(1));
  EXPECT_FALSE(engine_->state().stalled);
}

TEST_F(AdmissionTest, KeepsAQueueForEachBackend) {
  Start({.routing = {.allowed = {"pytorch"}}}, 1, {"onnx", "pytorch"});
  const PendingAnswer running = OccupyWorker();
  const PendingAnswer waiting = Submit(10);
  PendingAnswer other = Submit(10, {.backend = "pytorch"});
  gate_.WaitForArrivals(2);  // the other group's worker took it at once
  EXPECT_FALSE(waiting.arrived());
  gate_.Open();
  EXPECT_EQ(other.Get()->backend, "pytorch");
  EXPECT_EQ(waiting.Get()->backend, "onnx");
}

TEST_F(AdmissionTest, RunsShortRequestsBeforeTheRestOfABatch) {
  Start({.run_tokens = 64});
  const PendingAnswer batch = SubmitAsync(*engine_, std::vector<std::string>(6, TinyText(62)));
  gate_.WaitForArrivals(1);
  const PendingAnswer text = Submit(64);
  gate_.LetOnePass();
  gate_.LetOnePass();
  EXPECT_TRUE(text.Get().ok());
  EXPECT_FALSE(batch.arrived());
  gate_.Open();
  EXPECT_TRUE(batch.Get().ok());
}

}  // namespace
}  // namespace ks
