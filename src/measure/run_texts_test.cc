#include "measure/run_texts.h"

#include <algorithm>
#include <limits>

#include "backend/fake/fake_backend.h"
#include "base/status.h"
#include "engine/testing/tiny_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {
using testing::ElementsAre;
using testing::HasSubstr;

// Texts of these lengths, every token different from all others.
TokenizedTexts TextsOf(const std::vector<int>& lengths) {
  TokenizedTexts texts;
  for (const int length : lengths) {
    for (int i = 0; i < length; ++i) texts.ids.push_back(static_cast<int32_t>(texts.ids.size()));
    texts.offsets.push_back(static_cast<int64_t>(texts.ids.size()));
  }
  return texts;
}

std::vector<int> ManyLengths() {
  std::vector<int> lengths;
  for (int i = 0; i < 500; ++i) lengths.push_back(1 + i * 37 % 64);
  return lengths;
}

TEST(TokenizeExamples, CutsAtTheWindow) {
  const auto tokenizer = Tokenizer::FromJson(WordTokenizerJson(), "tokenizer.json");
  ASSERT_TRUE(tokenizer.ok());
  const std::vector<Example> examples = {{.text = TinyText(2)}, {.text = TinyText(50)}};
  const auto texts = TokenizeExamples(*tokenizer, examples, 16);
  ASSERT_TRUE(texts.ok()) << texts.status();
  EXPECT_EQ(texts->size(), 2);
  EXPECT_EQ(texts->tokens(0), 4);
  EXPECT_EQ(texts->tokens(1), 16);
}

TEST(TokenizeExamples, NamesTheTextThatItCannotTake) {
  const auto tokenizer = Tokenizer::FromJson(WordTokenizerJson(), "tokenizer.json");
  ASSERT_TRUE(tokenizer.ok());
  const std::vector<Example> examples = {{.text = "w1"}, {.text = "\xff"}};
  const auto texts = TokenizeExamples(*tokenizer, examples, 16);
  EXPECT_EQ(texts.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(texts.status().message()), HasSubstr("text 2"));
}

TEST(PlanRuns, PacksTheShortestFirst) {
  EXPECT_THAT(PlanRuns(TextsOf({8, 3, 5, 4, 8}), 12),
              ElementsAre(ElementsAre(1, 3, 2), ElementsAre(0), ElementsAre(4)));
  EXPECT_THAT(PlanRuns(TextsOf({}), 12), ElementsAre());
}

TEST(PlanRuns, HoldsEveryTextOnceWithinTheBudget) {
  const TokenizedTexts texts = TextsOf(ManyLengths());
  std::vector<int> seen(static_cast<size_t>(texts.size()));
  for (const auto& run : PlanRuns(texts, 128)) {
    int tokens = 0;
    for (const int text : run) {
      tokens += texts.tokens(text);
      ++seen[static_cast<size_t>(text)];
    }
    EXPECT_LE(tokens, 128);
  }
  EXPECT_TRUE(std::ranges::all_of(seen, [](int times) { return times == 1; }));
}

TEST(RunTexts, GivesEachTextItsOwnLogitsOnSeveralThreads) {
  const TokenizedTexts texts = TextsOf(ManyLengths());
  FakeBackend one, two, three;
  int64_t last = 0;
  const auto logits = RunTexts(texts, PlanRuns(texts, 128), {&one, &two, &three}, [&](int64_t done, int64_t total) {
    EXPECT_GT(done, last);
    EXPECT_EQ(total, texts.size());
    last = done;
  });
  ASSERT_TRUE(logits.ok()) << logits.status();
  EXPECT_EQ(last, texts.size());
  for (int i = 0; i < texts.size(); ++i) {
    EXPECT_TRUE(std::ranges::equal(logits->row(i), FakeLogits(texts.text(i), {}, 3))) << i;
  }
}

TEST(RunTexts, StopsAtAnError) {
  const TokenizedTexts texts = TextsOf(ManyLengths());
  int runs = 0;
  FakeBackend backend(
      FakeFacts(), [&](const PackedBatch&) { return ++runs == 3 ? Internal("the runtime broke") : absl::OkStatus(); });
  const auto logits = RunTexts(texts, PlanRuns(texts, 128), {&backend}, nullptr);
  EXPECT_EQ(logits.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(logits.status().message()), HasSubstr("the runtime broke"));
  EXPECT_EQ(runs, 3);
}

// Answers with whatever it was made with.
class FixedBackend final : public Backend {
 public:
  explicit FixedBackend(Logits logits) : logits_(std::move(logits)) {}
  const BackendFacts& facts() const override { return facts_; }
  absl::StatusOr<Logits> Run(const PackedBatch&) override { return logits_; }

 private:
  const BackendFacts facts_ = FakeFacts();
  const Logits logits_;
};

TEST(RunTexts, RefusesWhatIsNoNumberAndAnotherShape) {
  const TokenizedTexts texts = TextsOf({4});
  FixedBackend nan({.values = {0, std::numeric_limits<float>::quiet_NaN(), 0}, .sequences = 1, .classes = 3});
  const auto first = RunTexts(texts, {{0}}, {&nan}, nullptr);
  EXPECT_EQ(first.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(first.status().message()), HasSubstr("finite"));
  FixedBackend wide({.values = {0, 0, 0, 0}, .sequences = 1, .classes = 4});
  const auto second = RunTexts(texts, {{0}}, {&wide}, nullptr);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("3 classes, found 1 and 4"));
}

TEST(ForEachRun, ReportsTheLowestError) {
  FakeBackend one, two;
  const auto status = ForEachRun({&one, &two}, 100,
                                 [](Backend&, size_t i) { return i >= 10 ? Internal("run ", i) : absl::OkStatus(); });
  // Both threads may be in a failing run when the first fails; the lowest is told.
  EXPECT_EQ(status.message(), "run 10");
}

}  // namespace
}  // namespace ks
