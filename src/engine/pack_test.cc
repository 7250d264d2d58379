#include "engine/pack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace ks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Parts of 2, 1 and 3 tokens whose ids begin at `first_id`.
std::shared_ptr<Request> MakeRequest(int32_t first_id, std::vector<int32_t> type_ids = {}) {
  auto request = std::make_shared<Request>();
  for (int32_t i = 0; i < 6; ++i) request->inputs.ids.push_back(first_id + i);
  request->inputs.type_ids = std::move(type_ids);
  request->inputs.offsets = {0, 2, 3, 6};
  request->inputs.part_tokens = {2, 1, 3};
  request->logits.resize(6);
  return request;
}

TEST(Pack, PutsThePartsOfSeveralRequestsEndToEnd) {
  PackBuffers buffers;
  const std::vector<RunSlice> run = {{MakeRequest(10), 1, 2}, {MakeRequest(20), 0, 1}};
  const PackedBatch batch = buffers.Pack(run);
  EXPECT_THAT(batch.input_ids, ElementsAre(12, 13, 14, 15, 20, 21));
  EXPECT_THAT(batch.offsets, ElementsAre(0, 1, 4, 6));
  EXPECT_THAT(batch.token_type_ids, IsEmpty());
}

TEST(Pack, FillsTypeIdsBesideARequestThatHasSome) {
  PackBuffers buffers;
  const auto typed = MakeRequest(20, {0, 1, 0, 0, 1, 1});
  const std::vector<RunSlice> run = {{MakeRequest(10), 0, 1}, {typed, 0, 2}, {MakeRequest(30), 1, 1}};
  EXPECT_THAT(buffers.Pack(run).token_type_ids, ElementsAre(0, 0, 0, 1, 0, 0));
  EXPECT_THAT(buffers.Pack(std::span(run).first(1)).token_type_ids, IsEmpty()) << "nothing of the last run stays";
}

TEST(Scatter, PutsEachRowWhereItsPartIs) {
  const auto a = MakeRequest(10), b = MakeRequest(20);
  const std::vector<RunSlice> run = {{a, 1, 2}, {b, 0, 1}};
  const Logits logits = {.values = {1, 2, 3, 4, 5, 6}, .sequences = 3, .classes = 2};
  ASSERT_TRUE(Scatter(logits, 2, run).ok());
  EXPECT_THAT(a->logits, ElementsAre(0, 0, 1, 2, 3, 4));
  EXPECT_THAT(b->logits, ElementsAre(5, 6, 0, 0, 0, 0));
}

TEST(Scatter, RefusesWhatABackendMustNotGive) {
  const auto request = MakeRequest(10);
  const std::vector<RunSlice> run = {{request, 0, 2}};
  const auto refuses = [&](const Logits& logits, const std::string& message) {
    const absl::Status status = Scatter(logits, 2, run);
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
    EXPECT_THAT(request->logits, ElementsAre(0, 0, 0, 0, 0, 0));
  };
  refuses({.values = {1, 2}, .sequences = 1, .classes = 2}, "expected [2, 2], found [1, 2]");
  refuses({.values = {1, 2, 3, 4}, .sequences = 4, .classes = 1}, "expected [2, 2], found [4, 1]");
  refuses({.values = {1, 2, 3}, .sequences = 2, .classes = 2}, "with 3 values");
  refuses({.values = {1, 2, 3, std::numeric_limits<float>::quiet_NaN()}, .sequences = 2, .classes = 2},
          "expected finite numbers, found nan for sequence 1 of 2");
  refuses({.values = {1, -std::numeric_limits<float>::infinity(), 3, 4}, .sequences = 2, .classes = 2},
          "found -inf for sequence 0 of 2");
}

}  // namespace
}  // namespace ks
