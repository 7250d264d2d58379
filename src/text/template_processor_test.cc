#include "text/template_processor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ks {
namespace {

using ::testing::HasSubstr;

constexpr TemplatePiece kA{TemplatePiece::kFirstText, 0}, kB{TemplatePiece::kSecondText, 1}, kCls{101, 0}, kSep{102, 0};

SectionReader ReaderOf(const std::string& bytes) {
  return {SectionId::kPostProcessor, std::as_bytes(std::span(bytes))};
}

TEST(TemplateProcessor, CountsSpecialTokens) {
  const SectionWriter section = TemplateProcessor::Build({{kCls, kA, kSep}, {kCls, kA, kSep, kB, kSep}});
  const auto processor = TemplateProcessor::Read(ReaderOf(section.bytes()), 103);
  ASSERT_TRUE(processor.ok()) << processor.status();
  EXPECT_EQ(processor->special_tokens(false), 2);
  EXPECT_EQ(processor->special_tokens(true), 3);
}

TEST(TemplateProcessor, RefusesSpecialTokensThatAreNoIds) {
  const SectionWriter section = TemplateProcessor::Build({{kCls, kA}, {kA, kB}});
  const absl::Status status = TemplateProcessor::Read(ReaderOf(section.bytes()), 101).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("none of the 101 ids"));
}

TEST(TemplateProcessor, RefusesTemplatesWithoutTheirTexts) {
  const SectionWriter section = TemplateProcessor::Build({{kCls}, {kA, kB}});
  EXPECT_EQ(TemplateProcessor::Read(ReaderOf(section.bytes()), 103).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(IsTemplate(std::vector{kB, kA}, true));
  EXPECT_FALSE(IsTemplate(std::vector{kA, kA}, false));
  EXPECT_FALSE(IsTemplate(std::vector{TemplatePiece{-7, 0}}, false));
}

}  // namespace
}  // namespace ks
