#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace ks {
namespace {

using ::testing::HasSubstr;

constexpr int kVocabSize = 100;

BackendFacts SmallFacts() {
  BackendFacts facts;
  facts.max_tokens = 8;
  facts.max_tokens_per_sequence = 4;
  return facts;
}

absl::Status Check(const std::vector<int32_t>& ids, const std::vector<int32_t>& offsets,
                   const std::vector<int32_t>& types = {}, int vocab_size = kVocabSize) {
  return CheckBatch({ids, offsets, types}, SmallFacts(), vocab_size);
}

void ExpectInvalid(const absl::Status& status, const std::string& part) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(part));
}

TEST(CheckBatch, TakesBatchesUpToTheLimits) {
  EXPECT_TRUE(Check({0}, {0, 1}).ok());
  EXPECT_TRUE(Check({1, 2, 3, 99, 5, 6, 7, 8}, {0, 4, 8}).ok());
  EXPECT_TRUE(Check({1, 2}, {0, 1, 2}, {0, 1}).ok());
}

TEST(CheckBatch, NamesTheTokenCountOutsideTheLimit) {
  ExpectInvalid(Check({}, {0, 0}), "T = 0 tokens, expected 1 to 8");
  ExpectInvalid(Check({1, 2, 3, 4, 5, 6, 7, 8, 9}, {0, 3, 6, 9}), "T = 9 tokens, expected 1 to 8");
}

TEST(CheckBatch, RefusesMoreSequencesThanTokensAndNone) {
  ExpectInvalid(Check({1}, {}), "0 offsets");
  ExpectInvalid(Check({1}, {0}), "1 offsets");
  ExpectInvalid(Check({1}, {0, 1, 1}), "3 offsets, expected B + 1 with 1 <= B <= T = 1");
}

TEST(CheckBatch, NamesTheSequenceOfAWrongLength) {
  ExpectInvalid(Check({1, 2, 3, 4, 5}, {0, 5}), "sequence 0 has 5 tokens, expected 1 to 4");
  ExpectInvalid(Check({1, 2, 3}, {0, 2, 2, 3}), "sequence 1 has 0 tokens");
  ExpectInvalid(Check({1, 2, 3}, {0, 2, 1, 3}), "sequence 1 has -1 tokens");
}

TEST(CheckBatch, RefusesOffsetsThatDoNotSpanTheTokens) {
  ExpectInvalid(Check({1, 2, 3}, {1, 3}), "offsets[0] is 1, expected 0");
  ExpectInvalid(Check({1, 2, 3}, {0, 2}), "offsets[B] is 2, expected T = 3");
  ExpectInvalid(Check({1, 2, 3}, {0, 4}), "offsets[B] is 4, expected T = 3");
}

TEST(CheckBatch, DoesNotWrapAroundOnExtremeOffsets) {
  constexpr int32_t kMin = std::numeric_limits<int32_t>::min();
  constexpr int32_t kMax = std::numeric_limits<int32_t>::max();
  ExpectInvalid(Check({1, 2, 3}, {0, kMax, kMin, 3}), "sequence 0 has 2147483647 tokens");
  ExpectInvalid(Check({1, 2, 3}, {0, 3, kMin, 3}), "sequence 1 has -2147483651 tokens");
}

TEST(CheckBatch, RefusesTokenTypesOfAnotherLength) {
  ExpectInvalid(Check({1, 2, 3}, {0, 3}, {0, 1}), "2 token type ids, expected none or T = 3");
}

TEST(CheckBatch, NamesThePositionOfAnIdOutsideTheVocabulary) {
  ExpectInvalid(Check({1, 100, 3}, {0, 3}), "id at token 1 lies outside the vocabulary of 100");
  ExpectInvalid(Check({1, 2, -1}, {0, 3}), "id at token 2 is negative");
}

TEST(CheckBatch, BoundsNoIdWithoutAVocabulary) {
  EXPECT_TRUE(Check({1, 1000000, 3}, {0, 3}, {}, 0).ok());
  ExpectInvalid(Check({1, -1, 3}, {0, 3}, {}, 0), "id at token 1 is negative");
}

}  // namespace
}  // namespace ks
