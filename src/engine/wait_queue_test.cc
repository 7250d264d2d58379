#include "engine/wait_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace ks {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr TimePoint kNow{seconds(100)};

std::shared_ptr<Request> MakeRequest(const std::vector<int>& part_tokens, TimePoint deadline = TimePoint::max()) {
  auto request = std::make_shared<Request>();
  EncodedInputs& inputs = request->inputs;
  inputs.offsets.push_back(0);
  for (const int tokens : part_tokens) {
    inputs.part_tokens.push_back(tokens);
    inputs.offsets.push_back(inputs.offsets.back() + tokens);
  }
  inputs.ids.resize(static_cast<size_t>(inputs.offsets.back()));
  request->deadline = deadline;
  return request;
}

// (request, first part, parts)
using Slice = std::tuple<const Request*, int, int>;
std::vector<Slice> TakeRun(WaitQueue& queue, TimePoint now = kNow) {
  std::vector<Slice> run;
  for (const RunSlice& slice : queue.TakeRun(now)) run.push_back({slice.request.get(), slice.first_part, slice.parts});
  return run;
}

TEST(WaitQueue, IsEmptyAtFirst) {
  WaitQueue queue({.run_tokens = 100});
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.tokens(), 0);
  EXPECT_THAT(TakeRun(queue), IsEmpty());
  EXPECT_THAT(queue.TakeExpired(kNow), IsEmpty());
}

TEST(WaitQueue, StopsARunAtItsGoal) {
  WaitQueue queue({.run_tokens = 100});
  for (int i = 0; i < 3; ++i) queue.Add(MakeRequest({20}));
  EXPECT_EQ(queue.TakeRun(kNow, 40).size(), 2u);
  EXPECT_EQ(queue.tokens(), 20);
}

TEST(WaitQueue, KnowsWhatWaitsAlone) {
  WaitQueue queue({.run_tokens = 100});
  EXPECT_EQ(queue.lone().request, nullptr);
  const auto bulk = MakeRequest({60, 60, 60});
  queue.Add(bulk);
  EXPECT_EQ(queue.lone().request, bulk.get());
  EXPECT_EQ(queue.lone().parts, 3);
  TakeRun(queue);
  EXPECT_EQ(queue.lone().parts, 2);
  queue.Add(MakeRequest({5}));
  EXPECT_EQ(queue.lone().request, nullptr);
  EXPECT_EQ(queue.lone().parts, 0);
  TakeRun(queue);
  EXPECT_EQ(queue.lone().request, bulk.get()) << "whichever lane it waits in";
}

TEST(WaitQueue, GivesEachPartOnceAndInOrder) {
  WaitQueue queue({.run_tokens = 100});
  const auto bulk = MakeRequest({60, 60, 60});
  const auto first = MakeRequest({50});
  const auto second = MakeRequest({30, 30});
  for (const auto& request : {bulk, first, second}) queue.Add(request);
  EXPECT_EQ(queue.tokens(Lane::kShort), 110);
  EXPECT_EQ(queue.tokens(Lane::kBulk), 180);

  EXPECT_THAT(TakeRun(queue), ElementsAre(Slice{first.get(), 0, 1}, Slice{second.get(), 0, 1}));
  EXPECT_EQ(queue.tokens(Lane::kShort), 30);
  EXPECT_THAT(TakeRun(queue), ElementsAre(Slice{second.get(), 1, 1}, Slice{bulk.get(), 0, 1}));
  EXPECT_THAT(TakeRun(queue), ElementsAre(Slice{bulk.get(), 1, 1}));
  EXPECT_THAT(TakeRun(queue), ElementsAre(Slice{bulk.get(), 2, 1}));
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.tokens(), 0);
}

TEST(WaitQueue, KeepsTheCreditOfBulkFromRunToRun) {
  WaitQueue queue({.run_tokens = 100, .bulk_share = 0.25});
  const auto bulk = MakeRequest({50, 50, 50});
  queue.Add(bulk);
  for (int i = 0; i < 3; ++i) queue.Add(MakeRequest({60}));
  int runs_before_bulk = 0;
  while (std::get<0>(TakeRun(queue).front()) != bulk.get()) ++runs_before_bulk;
  EXPECT_EQ(runs_before_bulk, 1) << "25 tokens of credit after the first run, 50 in the second";
}

TEST(WaitQueue, HandsOutWhatExpiredWhereverItStands) {
  WaitQueue queue({.run_tokens = 100});
  const auto patient = MakeRequest({50});
  const auto hasty = MakeRequest({40}, kNow);
  const auto hasty_bulk = MakeRequest({90, 90}, kNow - seconds(1));
  const auto later = MakeRequest({30}, kNow + Duration(1));
  for (const auto& request : {patient, hasty, hasty_bulk, later}) queue.Add(request);

  EXPECT_THAT(queue.TakeExpired(kNow), ElementsAre(hasty_bulk, hasty));
  EXPECT_EQ(queue.tokens(), 80);
  EXPECT_THAT(queue.TakeExpired(kNow), IsEmpty());
  EXPECT_THAT(TakeRun(queue), ElementsAre(Slice{patient.get(), 0, 1}, Slice{later.get(), 0, 1}));
}

TEST(WaitQueue, LetsTheRestOfAnExpiredRequestGo) {
  WaitQueue queue({.run_tokens = 100});
  const auto bulk = MakeRequest({60, 60, 60}, kNow);
  queue.Add(bulk);
  EXPECT_THAT(TakeRun(queue, kNow - Duration(1)), ElementsAre(Slice{bulk.get(), 0, 1}));
  EXPECT_THAT(queue.TakeExpired(kNow), ElementsAre(bulk));
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.tokens(), 0);
}

TEST(WaitQueue, RemovesOneRequestAndNoOther) {
  WaitQueue queue({.run_tokens = 100});
  const auto sooner = MakeRequest({50}, kNow);
  const auto goes = MakeRequest({90, 90}, kNow + seconds(1));
  const auto later = MakeRequest({40}, kNow + seconds(2));
  for (const auto& request : {sooner, goes, later}) queue.Add(request);
  queue.Remove(*goes);
  queue.Remove(*goes);  // nothing of it is left: no effect
  EXPECT_EQ(queue.tokens(), 90);
  EXPECT_THAT(queue.TakeExpired(kNow), ElementsAre(sooner)) << "its deadline is still known";
  EXPECT_THAT(queue.TakeAll(), ElementsAre(later));
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.tokens(), 0);
}

}  // namespace
}  // namespace ks
