#include "serving/text_check.h"

#include <string>

#include "engine/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {

using ::testing::HasSubstr;

void ExpectError(const absl::Status& status, ErrorCode code, std::string_view part) {
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(CodeOf(status), code) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(std::string(part)));
}

TEST(CheckText, TakesTextsUpToTheLimitInCodePoints) {
  EXPECT_TRUE(CheckText("text", "a", 1).ok());
  EXPECT_TRUE(CheckText("text", "\U0001F600\U0001F600", 2).ok());
  EXPECT_TRUE(CheckText("text", " a ", 3).ok());
  EXPECT_TRUE(CheckText("text", "\xEF\xBB\xBF", 3).ok()) << "U+FEFF is no white space";
}

TEST(CheckText, RefusesWhatIsTooLongWithBothNumbers) {
  ExpectError(CheckText("texts[3]", std::string(10412, 'x'), 10000), ErrorCode::kTextTooLong,
              "texts[3] has 10412 characters, the limit is 10000 (max-text-chars)");
  ExpectError(CheckText("text", "\U0001F600\U0001F600", 1), ErrorCode::kTextTooLong, "2 characters");
}

TEST(CheckText, RefusesEmptyAndBlankTexts) {
  ExpectError(CheckText("text", "", 10), ErrorCode::kTextEmpty, "text is empty");
  ExpectError(CheckText("text", " \t\n\r\f\v", 10), ErrorCode::kTextEmpty, "text is blank: 6 characters");
  ExpectError(CheckText("text",
                        "\xC2\x85\xC2\xA0\xE1\x9A\x80\xE2\x80\x80\xE2\x80\x8A\xE2\x80\xA8\xE2\x80\xA9\xE2\x80\xAF\xE2"
                        "\x81\x9F\xE3\x80\x80",
                        10),
              ErrorCode::kTextEmpty, "blank: 10 characters");
}

TEST(CheckText, RefusesNulWithItsPosition) {
  ExpectError(CheckText("text",
                        std::string_view("\xC3\xA4"
                                         "b\0",
                                         4),
                        10),
              ErrorCode::kInvalidInput, "NUL at character 2");
}

}  // namespace
}  // namespace ks
