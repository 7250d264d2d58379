#include "engine/batch_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace ks {
namespace {

using ::testing::ElementsAreArray;

constexpr TimePoint kNow{std::chrono::seconds(100)};
constexpr TimePoint kLater{std::chrono::seconds(101)};

struct Request {
  std::vector<int> parts;
  TimePoint deadline = kLater;
};

std::vector<WaitingRequest> ViewOf(const std::vector<Request>& requests) {
  std::vector<WaitingRequest> lane;
  for (const Request& request : requests) lane.push_back({request.deadline, request.parts});
  return lane;
}

struct Case {
  std::string name;
  std::vector<Request> short_lane = {};
  std::vector<Request> bulk_lane = {};
  int credit = 0;
  RunLimits limits = {.run_tokens = 100};
  std::vector<Take> takes = {};
  int credit_after = 0;
};

std::vector<Case> Cases() {
  constexpr Lane kShort = Lane::kShort, kBulk = Lane::kBulk;
  return {
      {.name = "nothing waits", .takes = {}},
      {.name = "one text goes at once, alone", .short_lane = {{{7}}}, .takes = {{kShort, 0, 1}}},
      {.name = "a text of exactly the run's size fits", .short_lane = {{{100}}}, .takes = {{kShort, 0, 1}}},
      {.name = "what waited goes together, up to the last token",
       .short_lane = {{{40}}, {{30, 20}}, {{10}}, {{1}}},
       .takes = {{kShort, 0, 1}, {kShort, 1, 2}, {kShort, 2, 1}}},
      {.name = "a request may be split between runs",
       .short_lane = {{{60}}, {{30, 20}}},
       .takes = {{kShort, 0, 1}, {kShort, 1, 1}}},
      {.name = "no text is passed over by a smaller one behind it",
       .short_lane = {{{60}}, {{50}}, {{10}}},
       .takes = {{kShort, 0, 1}}},
      {.name = "bulk fills the run alone and earns nothing",
       .bulk_lane = {{{40, 40, 40}}},
       .credit = 60,
       .takes = {{kBulk, 0, 2}},
       .credit_after = 0},
      {.name = "short goes first and bulk saves its share",
       .short_lane = {{{50}}, {{50}}},
       .bulk_lane = {{{40, 40}}},
       .takes = {{kShort, 0, 1}, {kShort, 1, 1}},
       .credit_after = 25},
      {.name = "bulk that fits its credit goes before short",
       .short_lane = {{{50}}, {{50}}},
       .bulk_lane = {{{40, 40}}},
       .credit = 25,
       .takes = {{kBulk, 0, 1}, {kShort, 0, 1}},
       .credit_after = 10},
      {.name = "small bulk texts use the credit up in their first run",
       .short_lane = {{{50}}, {{25}}, {{10}}},
       .bulk_lane = {{{10, 10, 10}}},
       .takes = {{kBulk, 0, 2}, {kShort, 0, 1}, {kShort, 1, 1}},
       .credit_after = 5},
      {.name = "bulk takes what short leaves, in one entry with what its credit took",
       .short_lane = {{{50}}},
       .bulk_lane = {{{20, 20, 20}}},
       .takes = {{kBulk, 0, 2}, {kShort, 0, 1}},
       .credit_after = 0},
      {.name = "a long bulk text saves credit",
       .short_lane = {{{100}}},
       .bulk_lane = {{{100, 100}}},
       .credit = 70,
       .takes = {{kShort, 0, 1}},
       .credit_after = 95},
      {.name = "until there is enough, and keeps the rest",
       .short_lane = {{{100}}},
       .bulk_lane = {{{100, 100}}},
       .credit = 95,
       .takes = {{kBulk, 0, 1}},
       .credit_after = 20},
      {.name = "bulk requests go in their order",
       .bulk_lane = {{{60}}, {{30, 30}}},
       .takes = {{kBulk, 0, 1}, {kBulk, 1, 1}}},
      {.name = "what has expired is left out, from its deadline on",
       .short_lane = {{{40}, kNow}, {{30}}, {{20}, kNow - Duration(1)}},
       .bulk_lane = {{{60}, kNow}, {{70}}},
       .takes = {{kShort, 1, 1}, {kBulk, 1, 1}}},
      {.name = "a run that holds its goal takes no more",
       .short_lane = {{{30}}, {{30}}, {{30}}},
       .limits = {.run_tokens = 100, .goal_tokens = 60},
       .takes = {{kShort, 0, 1}, {kShort, 1, 1}}},
      {.name = "nor one more that leads it further past its goal than it was short of it",
       .short_lane = {{{20}}, {{50}}, {{5}}},
       .limits = {.run_tokens = 100, .goal_tokens = 44},
       .takes = {{kShort, 0, 1}}},
      {.name = "a goal below the first part does not keep it from running",
       .short_lane = {{{90}}, {{5}}},
       .limits = {.run_tokens = 100, .goal_tokens = 1},
       .takes = {{kShort, 0, 1}}},
      {.name = "nor does a goal let a run grow past its tokens",
       .bulk_lane = {{{50, 60}}},
       .limits = {.run_tokens = 100, .goal_tokens = 100},
       .takes = {{kBulk, 0, 1}}},
      {.name = "a backend that pads pays for the longest of all",
       .short_lane = {{{30}}, {{5}}, {{5}}, {{5}}},
       .limits = {.run_tokens = 100, .pads = true},
       .takes = {{kShort, 0, 1}, {kShort, 1, 1}, {kShort, 2, 1}}},
      {.name = "also when the longest comes last",
       .short_lane = {{{5}}, {{5}}, {{40}}},
       .limits = {.run_tokens = 100, .pads = true},
       .takes = {{kShort, 0, 1}, {kShort, 1, 1}}},
  };
}

TEST(PlanRun, FollowsItsTable) {
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.name);
    const auto short_lane = ViewOf(c.short_lane);
    const auto bulk_lane = ViewOf(c.bulk_lane);
    const RunPlan plan = PlanRun({short_lane, bulk_lane, c.credit}, kNow, c.limits);
    EXPECT_THAT(plan.takes, ElementsAreArray(c.takes));
    EXPECT_EQ(plan.bulk_credit_tokens, c.credit_after);
  }
}

// Endless short texts beside an endless batch, for every length of the batch's texts.
TEST(PlanRun, GivesBulkItsShareUnderEndlessShortTexts) {
  const RunLimits limits = {.run_tokens = 512, .bulk_share = 0.25};
  const std::vector<Request> short_texts(600, Request{{9}});
  const auto short_lane = ViewOf(short_texts);
  for (int length = 1; length <= limits.run_tokens; ++length) {
    const std::vector<Request> batch = {Request{std::vector<int>(512, length)}};
    const auto bulk_lane = ViewOf(batch);
    int64_t bulk_tokens = 0, short_tokens = 0;
    int credit = 0;
    for (int run = 0; run < 200; ++run) {
      const RunPlan plan = PlanRun({short_lane, bulk_lane, credit}, kNow, limits);
      credit = plan.bulk_credit_tokens;
      for (const Take& take : plan.takes) {
        (take.lane == Lane::kBulk ? bulk_tokens : short_tokens) += take.parts * (take.lane == Lane::kBulk ? length : 9);
      }
    }
    const double share = static_cast<double>(bulk_tokens) / static_cast<double>(bulk_tokens + short_tokens);
    EXPECT_GT(share, 0.24) << length;
    EXPECT_LT(share, 0.30) << length;
  }
}

TEST(LaneOf, CallsShortWhatFitsOneRun) {
  EXPECT_EQ(LaneOf(512, 512), Lane::kShort);
  EXPECT_EQ(LaneOf(513, 512), Lane::kBulk);
}

}  // namespace
}  // namespace ks
