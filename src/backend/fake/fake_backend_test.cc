#include "backend/fake/fake_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/thread.h"

namespace ks {
namespace {

using ::testing::Each;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

const std::vector<int32_t> kIds = {101, 7, 102, 101, 8, 9, 102};
const std::vector<int32_t> kOffsets = {0, 3, 7};

PackedBatch TwoSequences() { return {kIds, kOffsets, {}}; }

TEST(FakeLogits, DependOnIdsOrderAndTypes) {
  const std::vector<float> logits = FakeLogits(std::vector{1, 2, 3}, {}, 5);
  EXPECT_EQ(logits.size(), 5u);
  EXPECT_THAT(logits, Each(::testing::AllOf(::testing::Ge(-4.0f), ::testing::Le(4.0f))));
  EXPECT_EQ(std::set<float>(logits.begin(), logits.end()).size(), 5u);
  EXPECT_EQ(logits, FakeLogits(std::vector{1, 2, 3}, std::vector{0, 0, 0}, 5));
  EXPECT_NE(logits, FakeLogits(std::vector{1, 3, 2}, {}, 5));
  EXPECT_NE(logits, FakeLogits(std::vector{1, 2}, {}, 5));
  EXPECT_NE(logits, FakeLogits(std::vector{1, 2, 3}, std::vector{0, 0, 1}, 5));
}

TEST(FakeBackend, GivesEachSequenceItsOwnLogits) {
  FakeBackend backend;
  const std::vector<int32_t> types = {0, 0, 0, 0, 0, 1, 1};
  const absl::StatusOr<Logits> logits = backend.Run({kIds, kOffsets, types});
  ASSERT_TRUE(logits.ok()) << logits.status();
  ASSERT_EQ(logits->sequences, 2);
  ASSERT_EQ(logits->classes, 3);
  EXPECT_THAT(logits->row(0), ElementsAreArray(FakeLogits(std::vector{101, 7, 102}, {}, 3)));
  EXPECT_THAT(logits->row(1), ElementsAreArray(FakeLogits(std::vector{101, 8, 9, 102}, std::vector{0, 0, 1, 1}, 3)));
  EXPECT_EQ(backend.runs(), 1);
  EXPECT_EQ(backend.sequences(), 2);
}

TEST(FakeBackend, RefusesWhatTheRealOnesRefuse) {
  BackendFacts facts = FakeFacts();
  facts.max_tokens = 6;
  FakeBackend backend(facts);
  const absl::Status status = backend.Run(TwoSequences()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("T = 7 tokens, expected 1 to 6"));
  EXPECT_EQ(backend.runs(), 0);
}

TEST(FakeBackend, PassesOnTheHooksErrorAndWorksAgain) {
  bool broken = true;
  FakeBackend backend(FakeFacts(), [&broken](const PackedBatch& batch) {
    return broken ? Internal("planned failure at ", batch.tokens(), " tokens") : absl::OkStatus();
  });
  const absl::Status status = backend.Run(TwoSequences()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("planned failure at 7 tokens"));
  broken = false;
  EXPECT_TRUE(backend.Run(TwoSequences()).ok());
}

TEST(FakeBackend, SaysSoWhenCallsOverlap) {
  FakeGate gate;
  FakeBackend backend(FakeFacts(), gate.hook());
  Thread first("first", [&backend] { EXPECT_TRUE(backend.Run(TwoSequences()).ok()); });
  gate.WaitForArrivals(1);
  const absl::Status status = backend.Run(TwoSequences()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("overlap"));
  gate.Open();
  first.Join();
  EXPECT_EQ(backend.runs(), 1);
}

TEST(FakeGate, LetsAsManyPassAsTold) {
  FakeGate gate;
  FakeBackend one(FakeFacts(), gate.hook());
  FakeBackend two(FakeFacts(), gate.hook());
  std::atomic<int> done{0};
  const auto run = [&done](FakeBackend& backend) {
    EXPECT_TRUE(backend.Run(TwoSequences()).ok());
    ++done;
  };
  Thread first("first", [&] { run(one); });
  Thread second("second", [&] { run(two); });
  gate.WaitForArrivals(2);
  EXPECT_EQ(gate.arrivals(), 2);
  EXPECT_EQ(done.load(), 0);
  gate.LetOnePass();
  while (one.runs() + two.runs() == 0) std::this_thread::yield();
  EXPECT_EQ(one.runs() + two.runs(), 1);
  gate.Open();
  first.Join();
  second.Join();
  EXPECT_EQ(done.load(), 2);
}

}  // namespace
}  // namespace ks
