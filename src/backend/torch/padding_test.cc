#include "backend/torch/padding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace ks {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

// Sequences of these lengths; token t of the batch has id 10 + t and type t.
struct Packed {
  explicit Packed(const std::vector<int>& lengths) {
    for (const int length : lengths) offsets.push_back(offsets.back() + length);
    ids.resize(static_cast<size_t>(offsets.back()));
    types.resize(ids.size());
    std::iota(ids.begin(), ids.end(), 10);
    std::iota(types.begin(), types.end(), 0);
  }
  PackedBatch view() const { return {ids, offsets, types}; }

  std::vector<int32_t> offsets = {0}, ids, types;
};

TEST(PadByLength, PutsSimilarLengthsTogetherTheLongestFirst) {
  const Packed packed({3, 1, 4, 1});
  const std::vector<PaddedBatch> padded = PadByLength(packed.view(), -1);
  ASSERT_THAT(padded, SizeIs(2));
  EXPECT_THAT(padded[0].sequences, ElementsAre(2, 0));
  EXPECT_EQ(padded[0].length, 4);
  EXPECT_THAT(padded[0].lengths, ElementsAre(4, 3));
  EXPECT_THAT(padded[0].input_ids, ElementsAre(14, 15, 16, 17, 10, 11, 12, -1));
  EXPECT_THAT(padded[0].token_type_ids, ElementsAre(4, 5, 6, 7, 0, 1, 2, 0));
  EXPECT_THAT(padded[1].sequences, ElementsAre(1, 3));
  EXPECT_THAT(padded[1].input_ids, ElementsAre(13, 18));
}

TEST(PadByLength, TakesMissingTypesAsZeros) {
  const Packed packed({2, 2});
  PackedBatch batch = packed.view();
  batch.token_type_ids = {};
  EXPECT_THAT(PadByLength(batch, -1)[0].token_type_ids, ElementsAre(0, 0, 0, 0));
}

TEST(PadByLength, HoldsEverySequenceOnceAndFewPads) {
  std::vector<int> lengths;
  for (int i = 0; i < 200; ++i) lengths.push_back(1 + i * 37 % 101);
  const Packed packed(lengths);
  std::vector<int> seen;
  size_t cells = 0;
  for (const PaddedBatch& padded : PadByLength(packed.view(), -1)) {
    seen.insert(seen.end(), padded.sequences.begin(), padded.sequences.end());
    cells += padded.input_ids.size();
  }
  std::ranges::sort(seen);
  std::vector<int> all(200);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(seen, all);
  EXPECT_LE(3 * cells, 4 * packed.ids.size());
}

TEST(UnpadRows, PutsEachTokenBackInItsPlace) {
  const Packed packed({3, 1, 4, 1});
  std::vector<float> back(packed.ids.size() * 2, 0);
  for (const PaddedBatch& padded : PadByLength(packed.view(), -1)) {
    std::vector<float> cells;  // two for each token
    for (const int32_t id : padded.input_ids) cells.insert(cells.end(), {static_cast<float>(id), -id * 1.0f});
    UnpadRows(padded, cells, 2, packed.offsets, back);
  }
  EXPECT_THAT(back, ElementsAre(10, -10, 11, -11, 12, -12, 13, -13, 14, -14, 15, -15, 16, -16, 17, -17, 18, -18));
}

}  // namespace
}  // namespace ks
