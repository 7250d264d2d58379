// What the engine says of where a request's time went, on a clock that stands still until a run moves it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/error.h"
#include "engine/testing/tiny_model.h"

namespace ks {
namespace {
using std::chrono::milliseconds;
using std::chrono::seconds;

class TimelineTest : public ::testing::Test {
 protected:
  ~TimelineTest() override { gate_.Open(); }

  // Each run takes two milliseconds once the gate lets it in.
  void Start(const EngineOptions& options = {}) {
    engine_ = *Engine::Create(TinyModel({.hook =
                                             [this](const PackedBatch& batch) {
                                               const absl::Status entered = gate_.hook()(batch);
                                               clock_.Advance(milliseconds(2));
                                               return entered.ok() ? failure_ : entered;
                                             }}),
                              options, metrics_, clock_);
  }
  PendingAnswer Submit(const std::vector<std::string>& texts, Duration deadline = seconds(10)) {
    timeline_ = std::make_shared<Timeline>();
    return SubmitAsync(*engine_, texts, {.deadline = clock_.Now() + deadline, .timeline = timeline_});
  }

  ManualClock clock_;
  CountingMetrics metrics_;
  FakeGate gate_;
  absl::Status failure_;
  std::shared_ptr<Timeline> timeline_;
  std::unique_ptr<Engine> engine_;  // last: gone before what it uses
};

TEST_F(TimelineTest, HasTheQueueAndTheRunThatOthersShared) {
  Start();
  const PendingAnswer before = SubmitAsync(*engine_, {TinyText(5)});
  gate_.WaitForArrivals(1);
  const TimePoint start = clock_.Now();
  const PendingAnswer answer = Submit({TinyText(3, 1)});
  const PendingAnswer beside = SubmitAsync(*engine_, {TinyText(4, 2), TinyText(6, 3)});
  clock_.Advance(milliseconds(7));
  gate_.Open();
  ASSERT_TRUE(answer.Get().ok());
  EXPECT_EQ(timeline_->backend, "fake");
  EXPECT_EQ(timeline_->tokenize_start, start);
  EXPECT_EQ(timeline_->tokenize_end, start);
  EXPECT_EQ(timeline_->tokens, 5);
  EXPECT_EQ(timeline_->queued, start);
  EXPECT_EQ(timeline_->unqueued, start + milliseconds(9)) << "the clock's seven and the run before";
  ASSERT_EQ(timeline_->runs.size(), 1u);
  const Timeline::Run& run = timeline_->runs.front();
  EXPECT_EQ(run.start, timeline_->unqueued);
  EXPECT_EQ(run.end, run.start + milliseconds(2));
  EXPECT_EQ(run.sequences, 3);
  EXPECT_EQ(run.tokens, 5 + 6 + 8);
  EXPECT_EQ(run.cores, 1);
  EXPECT_TRUE(run.ok);
}

TEST_F(TimelineTest, ListsTheFirstRunsOfALongRequest) {
  Start({.run_tokens = 64});
  gate_.Open();
  const std::vector<std::string> texts(40, TinyText(62));  // a run each
  ASSERT_TRUE(Submit(texts).Get().ok());
  ASSERT_EQ(timeline_->runs.size(), Timeline::kMostRuns);
  for (size_t i = 1; i < timeline_->runs.size(); ++i) {
    EXPECT_EQ(timeline_->runs[i].start, timeline_->runs[i - 1].end);
  }
  EXPECT_EQ(timeline_->unqueued, timeline_->queued + milliseconds(2) * 39) << "the last one's start";
}

TEST_F(TimelineTest, EndsTheQueueWhereTheDeadlinePasses) {
  Start();
  const PendingAnswer before = SubmitAsync(*engine_, {TinyText(5)});
  gate_.WaitForArrivals(1);
  const TimePoint start = clock_.Now();
  const PendingAnswer answer = Submit({TinyText(3)}, milliseconds(5));
  clock_.Advance(milliseconds(6));
  gate_.Open();
  EXPECT_EQ(CodeOf(answer.Get().status()), ErrorCode::kDeadlinePassed);
  EXPECT_EQ(timeline_->queued, start);
  EXPECT_GE(timeline_->unqueued, start + milliseconds(6));
  EXPECT_TRUE(timeline_->runs.empty());
}

TEST_F(TimelineTest, SaysWhichRunFailed) {
  failure_ = absl::InternalError("broken");
  Start();
  gate_.Open();
  EXPECT_EQ(CodeOf(Submit({TinyText(3)}).Get().status()), ErrorCode::kInferenceFailed);
  ASSERT_EQ(timeline_->runs.size(), 1u);
  EXPECT_FALSE(timeline_->runs.front().ok);
}

TEST_F(TimelineTest, OfARefusedRequestHasNothingThatNeverHappened) {
  Start();
  engine_->Drain(Duration(0));
  EXPECT_EQ(CodeOf(Submit({TinyText(3)}).Get().status()), ErrorCode::kDraining);
  EXPECT_EQ(timeline_->tokenize_end, TimePoint());
  EXPECT_EQ(timeline_->unqueued, TimePoint());
}

}  // namespace
}  // namespace ks
