#include "text/vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ks {
namespace {

using ::testing::HasSubstr;

SectionReader ReaderOf(const std::string& bytes) { return {SectionId::kVocabulary, std::as_bytes(std::span(bytes))}; }

TEST(Vocabulary, KeepsHolesAndEmptyTokensApart) {
  const std::vector<Vocabulary::Entry> entries = {
      {"a", true, false}, {"", false, false}, {"", true, false}, {"[X]", true, true}};
  const SectionWriter section = Vocabulary::Build(entries);
  const auto vocabulary = Vocabulary::Read(ReaderOf(section.bytes()));
  ASSERT_TRUE(vocabulary.ok()) << vocabulary.status();
  EXPECT_EQ(vocabulary->size(), 4);
  EXPECT_EQ(vocabulary->Find(0).token, "a");
  EXPECT_FALSE(vocabulary->Find(1).present);
  EXPECT_TRUE(vocabulary->Find(2).present);
  EXPECT_TRUE(vocabulary->Find(3).special);
  EXPECT_EQ(vocabulary->Find(3).token, "[X]");
  EXPECT_FALSE(vocabulary->Find(4).present);
  EXPECT_FALSE(vocabulary->Find(-1).present);
}

TEST(Vocabulary, RefusesATokenOutsideTheText) {
  const std::vector<Vocabulary::Entry> entries = {{"abc", true, false}, {"de", true, false}};
  std::string bytes = Vocabulary::Build(entries).bytes();
  bytes[12] = 9;  // the end of the first token
  const absl::Status status = Vocabulary::Read(ReaderOf(bytes)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("a token outside the text"));
}

}  // namespace
}  // namespace ks
