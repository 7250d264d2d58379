#include "measure/bench_latency.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/fake/fake_backend.h"

namespace ks {
namespace {

using std::chrono::milliseconds;

// A backend whose runs take a millisecond for each 16 tokens, by a clock that stands still otherwise.
struct Timed {
  ManualClock clock;
  std::vector<std::pair<int, int>> seen;  // sequences, tokens
  FakeBackend backend{FakeFacts(), [this](const PackedBatch& batch) {
                        seen.emplace_back(batch.sequences(), batch.tokens());
                        clock.Advance(milliseconds(batch.tokens() / 16));
                        return absl::OkStatus();
                      }};
};

std::vector<std::pair<int, int>> Sizes(const std::vector<RunShape>& shapes) {
  std::vector<std::pair<int, int>> sizes;
  for (const RunShape& shape : shapes) sizes.emplace_back(shape.sequences, shape.tokens);
  return sizes;
}

TEST(UsualShapes, GrowToTheWindowAndEndWithABatch) {
  BackendFacts facts = FakeFacts();
  facts.max_tokens_per_sequence = 256;
  facts.max_tokens = 1024;
  EXPECT_THAT(Sizes(UsualShapes(facts)), testing::ElementsAre(std::pair(1, 16), std::pair(1, 64), std::pair(1, 128),
                                                              std::pair(1, 256), std::pair(8, 128)));
}

TEST(UsualShapes, StayWithinWhatTheBackendTakes) {
  BackendFacts facts = FakeFacts();
  facts.max_tokens_per_sequence = 100;
  facts.max_tokens = 512;
  EXPECT_THAT(Sizes(UsualShapes(facts)),
              testing::ElementsAre(std::pair(1, 16), std::pair(1, 64), std::pair(1, 100), std::pair(8, 100)));
}

TEST(ParseRunShapes, ReadsOneAndSeveral) {
  EXPECT_THAT(Sizes(*ParseRunShapes("1x16")), testing::ElementsAre(std::pair(1, 16)));
  EXPECT_THAT(Sizes(*ParseRunShapes("64x32,1x128")), testing::ElementsAre(std::pair(64, 32), std::pair(1, 128)));
}

TEST(ParseRunShapes, NamesWhatIsNoShape) {
  for (const char* text :
       {"", "8", "x16", "8x", "0x16", "8x0", "8x16x2", "1x16,", "-1x16", "1 x 16", "1x99999", "9999x1"}) {
    const auto shapes = ParseRunShapes(text);
    ASSERT_FALSE(shapes.ok()) << text;
    EXPECT_THAT(std::string(shapes.status().message()), testing::HasSubstr("8x128")) << text;
  }
}

TEST(MeasureLatency, RefusesMoreTokensThanTheWindowBeforeItRuns) {
  Timed timed;  // takes 64 tokens a sequence
  const std::vector<RunShape> shapes = {{1, 16}, {1, 65}};
  const auto rows = MeasureLatency(timed.backend, 100, shapes, {}, timed.clock, [](std::string_view) {});
  EXPECT_EQ(rows.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(rows.status().message()), testing::HasSubstr("1x65: expected at most 64"));
  EXPECT_TRUE(timed.seen.empty());
}

TEST(MeasureLatency, RunsEachShapeForItsTimeAfterWarmingUp) {
  Timed timed;
  std::vector<std::string> told;
  const std::vector<RunShape> shapes = {{1, 16}, {4, 32}};
  const BenchBudget budget = {.warm_up = milliseconds(2), .time = milliseconds(40), .min_runs = 3};
  const auto rows = MeasureLatency(timed.backend, 100, shapes, budget, timed.clock,
                                   [&](std::string_view what) { told.emplace_back(what); });
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_THAT(told, testing::ElementsAre("latency 1 x 16", "latency 4 x 32"));
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ((*rows)[0].run.count, 40);
  EXPECT_EQ((*rows)[0].run.p50, milliseconds(1));
  EXPECT_EQ((*rows)[1].run.count, 5);
  EXPECT_EQ((*rows)[1].run.p99, milliseconds(8));
  EXPECT_EQ(timed.seen.front(), std::pair(1, 16));
  EXPECT_EQ(timed.seen.back(), std::pair(4, 128));
  EXPECT_EQ(timed.seen.size(), 2u + 40 + 1 + 5);  // warm-ups included
}

// bench/peers/shared/common.py makes the same ids for others.
TEST(MeasureLatency, RunsTheIdsThatPeersRun) {
  std::vector<int32_t> ids;
  FakeBackend backend(FakeFacts(), [&](const PackedBatch& batch) {
    ids.assign(batch.input_ids.begin(), batch.input_ids.end());
    return absl::OkStatus();
  });
  ManualClock clock;
  const std::vector<RunShape> shapes = {{1, 5}};
  const BenchBudget budget = {.warm_up = Duration(0), .time = Duration(0), .min_runs = 1};
  ASSERT_TRUE(MeasureLatency(backend, 30522, shapes, budget, clock, [](std::string_view) {}).ok());
  EXPECT_THAT(ids, testing::ElementsAre(1791095845 % 30522, 4282876139 % 30522, 3093770124 % 30522, 4005303368 % 30522,
                                        491263 % 30522));
}

TEST(MeasureLatency, PartsABatchThatIsMoreThanARunTakes) {
  Timed timed;  // takes 512 tokens a run, 64 a sequence
  const std::vector<RunShape> shapes = {{20, 64}};
  const BenchBudget budget = {.warm_up = Duration(0), .time = Duration(0), .min_runs = 1};
  const auto rows = MeasureLatency(timed.backend, 100, shapes, budget, timed.clock, [](std::string_view) {});
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ((*rows)[0].run.count, 1);
  EXPECT_EQ((*rows)[0].run.p50, milliseconds(20 * 64 / 16));
  const std::vector<std::pair<int, int>> parts = {{8, 512}, {8, 512}, {4, 256}};
  EXPECT_EQ(std::vector(timed.seen.begin() + 3, timed.seen.end()), parts);  // behind those of the warm-up
}

TEST(MeasureLatency, RunsOftenEnoughWhenRunsAreSlow) {
  Timed timed;
  const std::vector<RunShape> shapes = {{1, 64}};
  const BenchBudget budget = {.warm_up = Duration(0), .time = milliseconds(1), .min_runs = 7};
  const auto rows = MeasureLatency(timed.backend, 100, shapes, budget, timed.clock, [](std::string_view) {});
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ((*rows)[0].run.count, 7);
}

TEST(MeasureLatency, FailsAsTheBackendFails) {
  FakeBackend backend(FakeFacts(), [](const PackedBatch&) { return absl::InternalError("no such kernel"); });
  ManualClock clock;
  const std::vector<RunShape> shapes = {{1, 16}};
  const auto rows = MeasureLatency(backend, 100, shapes, {}, clock, [](std::string_view) {});
  EXPECT_EQ(rows.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(rows.status().message()), testing::HasSubstr("no such kernel"));
}

}  // namespace
}  // namespace ks
