#include "base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace ks {
namespace {

using ::testing::HasSubstr;

std::string ErrorOf(std::string_view text, const JsonLimits& limits = {}) {
  const auto document = JsonDocument::Parse(text, "in.json", limits);
  EXPECT_EQ(document.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(document.status().message());
}

TEST(Json, ReadsEveryType) {
  const auto document = JsonDocument::Parse(R"({"a":1,"b":-2.5,"c":"x\u00e9","d":[true,null],"e":{"f":7}})", "in.json");
  ASSERT_TRUE(document.ok()) << document.status();
  const auto object = document->root().AsObject();
  ASSERT_TRUE(object.ok());
  EXPECT_EQ(*object->Require("a")->AsInt(), 1);
  EXPECT_EQ(*object->Require("b")->AsDouble(), -2.5);
  EXPECT_EQ(*object->RequireString("c"), "x\xC3\xA9");
  const auto array = object->Require("d")->AsArray();
  EXPECT_TRUE(*(*array)[0].AsBool());
  EXPECT_TRUE((*array)[1].is_null());
  EXPECT_EQ(*object->Require("e")->AsObject()->RequireInt("f", 0, 10), 7);
  EXPECT_EQ(object->Find("absent"), nullptr);
}

TEST(Json, NamesThePathOfAWrongValue) {
  const auto document = JsonDocument::Parse(R"({"texts":["a",{"b":12}]})", "in.json");
  const auto texts = *document->root().AsObject()->Require("texts")->AsArray();
  EXPECT_EQ(texts[1].AsString().status().message(), "in.json: texts[1]: expected a string, found an object");
  EXPECT_EQ(texts[1].AsObject()->RequireInt("b", 0, 10).status().message(),
            "in.json: texts[1].b: expected an integer from 0 to 10, found the integer 12");
  EXPECT_EQ(texts[1].AsObject()->Require("c").status().message(), "in.json: texts[1].c: missing");
}

TEST(Json, NeverQuotesAString) {
  const auto document = JsonDocument::Parse(R"({"n":"secret"})", "");
  EXPECT_EQ(document->root().AsObject()->RequireInt("n", 0, 1).status().message(),
            "n: expected an integer from 0 to 1, found a string of 6 bytes");
}

TEST(Json, RefusesAKeyGivenTwice) {
  for (const int extra : {0, 40}) {  // scanned and hashed objects
    std::string text = "{";
    for (int i = 0; i < extra; ++i) text += "\"k" + std::to_string(i) + "\":0,";
    text += R"("text":1,"text":2})";
    const auto document = JsonDocument::Parse(text, "");
    ASSERT_TRUE(document.ok());
    EXPECT_EQ(document->root().AsObject().status().message(), "text: the key is given twice") << extra;
  }
}

TEST(Json, FindsKeysOfLargeObjects) {
  std::string text = "{\"k0\":0";
  for (int i = 1; i < 1000; ++i) text += ",\"k" + std::to_string(i) + "\":" + std::to_string(i);
  const auto document = JsonDocument::Parse(text + "}", "");
  const auto object = document->root().AsObject();
  EXPECT_EQ(*object->RequireInt("k777", 0, 1000), 777);
}

TEST(Json, SaysWhyTextIsNotJson) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("empty"));
  EXPECT_THAT(ErrorOf("{\"a\":1"), HasSubstr("not JSON"));
  EXPECT_THAT(ErrorOf("{} {}"), HasSubstr("not JSON"));
  EXPECT_THAT(ErrorOf("\"\xff\""), HasSubstr("UTF-8"));
  EXPECT_THAT(ErrorOf("\"\\ud800\""), HasSubstr("surrogate"));
  EXPECT_THAT(ErrorOf(std::string(1'000'000, '[')), HasSubstr("in.json: "));
  EXPECT_THAT(ErrorOf(std::string(100, '[') + std::string(100, ']')), HasSubstr("deeper than 64"));
  EXPECT_THAT(ErrorOf("[1,2,3]", {.max_bytes = 4}), HasSubstr("the limit is 4"));
  EXPECT_THAT(ErrorOf("[1e999]"), HasSubstr("number"));
}

TEST(Json, KeepsNulInStrings) {
  const auto document = JsonDocument::Parse(R"(["a\u0000b"])", "");
  const auto values = *document->root().AsArray();
  EXPECT_EQ(*values[0].AsString(), std::string_view("a\0b", 3));
}

TEST(Json, ViewsSurviveAMove) {
  auto document = JsonDocument::Parse(R"({"a":"view"})", "");
  const auto object = *document->root().AsObject();
  const JsonDocument moved = *std::move(document);
  EXPECT_EQ(*object.RequireString("a"), "view");
}

TEST(JsonValue, CountsElementsAndMembers) {
  const auto document = JsonDocument::Parse(R"([[1,2,3],{"a":1,"b":2},[],"text"])", "x");
  ASSERT_TRUE(document.ok());
  const auto values = document->root().AsArray();
  ASSERT_TRUE(values.ok());
  EXPECT_EQ(document->root().size(), 4u);
  EXPECT_EQ((*values)[0].size(), 3u);
  EXPECT_EQ((*values)[1].size(), 2u);
  EXPECT_EQ((*values)[2].size(), 0u);
  EXPECT_EQ((*values)[3].size(), 0u);
}

TEST(JsonDocument, TakesIntegersBeyond64BitsAsDoubles) {
  const auto document = JsonDocument::Parse(
      R"({"a":-90249569798748355960859091009536,"b":"12345678901234567890\"12345678901234567890","c":1,)"
      R"("d":[18446744073709551616,0.1234567890123456789012]})",
      "x");
  ASSERT_TRUE(document.ok()) << document.status();
  const JsonObject object = *document->root().AsObject();
  EXPECT_EQ(*object.Require("a")->AsDouble(), -90249569798748355960859091009536.0);
  EXPECT_FALSE(object.Require("a")->AsInt().ok());
  EXPECT_EQ(*object.RequireString("b"), "12345678901234567890\"12345678901234567890");
  EXPECT_EQ(*object.RequireInt("c", 0, 9), 1);
  for (const char* bad :
       {"[012345678901234567890]", "[1e999,12345678901234567890123]", "[1.2.3,12345678901234567890123]",
        "[12345678901234567890123", "[--12345678901234567890123]"}) {
    EXPECT_FALSE(JsonDocument::Parse(bad, "x").ok()) << bad;
  }
}

}  // namespace
}  // namespace ks
