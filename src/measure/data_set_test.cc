#include "measure/data_set.h"

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {
using testing::ElementsAre;

std::vector<std::string> Texts(const std::vector<Example>& examples) {
  std::vector<std::string> texts;
  for (const Example& example : examples) texts.push_back(example.text);
  return texts;
}

std::vector<Example> Sample(const std::vector<std::string>& texts, size_t limit) {
  Sampler sampler(limit);
  for (size_t i = 0; i < texts.size(); ++i) sampler.Add({.text = texts[i], .line = static_cast<int64_t>(i + 1)});
  return std::move(sampler).Take();
}

std::vector<std::string> Numbered(int count) {
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) texts.push_back(Cat("text ", i));
  return texts;
}

TEST(Sampler, KeepsAllWithoutALimit) { EXPECT_EQ(Texts(Sample(Numbered(50), 0)), Numbered(50)); }

TEST(Sampler, KeepsAllOfFewerThanTheLimitInTheirOrder) { EXPECT_EQ(Texts(Sample(Numbered(50), 50)), Numbered(50)); }

TEST(Sampler, KeepsTheSmallestHashes) {
  // printf a | sha256sum: a ca978112.., b 3e23e816.., c 2e7d2c03.., d 18ac3e73..
  EXPECT_THAT(Texts(Sample({"a", "b", "c", "d"}, 2)), ElementsAre("c", "d"));
}

TEST(Sampler, ChoosesTheSameTextsInAnyOrder) {
  std::vector<std::string> texts = Numbered(1000);
  const std::vector<std::string> forwards = Texts(Sample(texts, 100));
  std::reverse(texts.begin(), texts.end());
  const std::vector<std::string> backwards = Texts(Sample(texts, 100));
  EXPECT_EQ(forwards.size(), 100u);
  EXPECT_EQ(std::set(forwards.begin(), forwards.end()), std::set(backwards.begin(), backwards.end()));
}

TEST(Sampler, KeepsTheFirstOfEqualTexts) {
  const std::vector<Example> kept = Sample({"a", "a", "a"}, 2);
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(kept[0].line, 1);
  EXPECT_EQ(kept[1].line, 2);
}

TEST(DataSet, AddsUpTheRowsOfItsFiles) {
  const DataSet data = {.files = {{.name = "a", .rows = 2}, {.name = "b", .rows = 3}}};
  EXPECT_EQ(data.rows(), 5);
}

}  // namespace
}  // namespace ks
