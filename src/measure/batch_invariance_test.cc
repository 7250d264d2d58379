#include "measure/batch_invariance.h"

#include <bit>

#include "backend/fake/fake_backend.h"
#include "gtest/gtest.h"

namespace ks {
namespace {

TokenizedTexts ShortTexts(int count) {
  TokenizedTexts texts;
  for (int i = 0; i < count; ++i) {
    for (int t = 0; t <= i % 5; ++t) texts.ids.push_back(i + t);
    texts.offsets.push_back(static_cast<int64_t>(texts.ids.size()));
  }
  return texts;
}

// Answers as FakeBackend but for one place, where the last bit is another.
class UnsteadyBackend final : public Backend {
 public:
  UnsteadyBackend(int size, int position) : size_(size), position_(position) {}
  const BackendFacts& facts() const override { return fake_.facts(); }
  absl::StatusOr<Logits> Run(const PackedBatch& batch) override {
    absl::StatusOr<Logits> logits = fake_.Run(batch);
    if (logits.ok() && batch.sequences() == size_) {
      float& value = logits->values[static_cast<size_t>(position_ * logits->classes)];
      value = std::bit_cast<float>(std::bit_cast<uint32_t>(value) ^ 1u);
    }
    return logits;
  }

 private:
  FakeBackend fake_;
  const int size_;
  const int position_;
};

TEST(BatchInvariance, FillsEveryPlace) {
  FakeBackend one, two;
  const auto result = CheckBatchInvariance(ShortTexts(300), {&one, &two}, nullptr);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->texts, 300);
  EXPECT_EQ(result->places, kBatchPlaces);
  EXPECT_EQ(result->different, 0);
  EXPECT_GE(result->batched, kBatchPlaces);
}

TEST(BatchInvariance, SeesOneBitAtOnePlace) {
  for (const auto& [size, position] : {std::pair(2, 1), std::pair(17, 0), std::pair(64, 63)}) {
    UnsteadyBackend backend(size, position);
    const auto result = CheckBatchInvariance(ShortTexts(300), {&backend}, nullptr);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_GT(result->different, 0) << size;
    EXPECT_TRUE(result->first_different);
  }
}

TEST(BatchInvariance, DoesWhatItCanWithFewTextsAndLittleRoom) {
  FakeBackend backend;
  const auto few = CheckBatchInvariance(ShortTexts(3), {&backend}, nullptr);
  ASSERT_TRUE(few.ok()) << few.status();
  EXPECT_EQ(few->places, kBatchPlaces);  // a batch may hold a text twice
  BackendFacts facts = FakeFacts();
  facts.max_tokens = 64;
  FakeBackend small(facts);
  const auto room = CheckBatchInvariance(ShortTexts(100), {&small}, nullptr);
  ASSERT_TRUE(room.ok()) << room.status();
  EXPECT_GT(room->places, 100);
  EXPECT_LT(room->places, kBatchPlaces);
}

}  // namespace
}  // namespace ks
