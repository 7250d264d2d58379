#include "text/added_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "base/strings.h"

namespace ks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Found {
  explicit Found(std::vector<AddedTokenSpec> specs) {
    for (size_t i = 0; i < specs.size(); ++i) specs[i].id = static_cast<int32_t>(i);
    section = *AddedTokens::Build(specs, {.lowercase = true});
    tokens = *AddedTokens::Read(SectionReader(SectionId::kAddedTokens, std::as_bytes(std::span(section.bytes()))), 10);
  }
  // The pieces of `text`, the tokens in braces.
  std::vector<std::string> In(std::string_view text, bool normalized = false) const {
    std::vector<std::string> pieces;
    tokens.Split(
        text, normalized,
        [&](size_t begin, size_t end) {
          pieces.push_back(std::string(text.substr(begin, end - begin)));
          return true;
        },
        [&](int32_t id, size_t begin, size_t end) {
          pieces.push_back(Cat("{", id, ":", text.substr(begin, end - begin), "}"));
          return true;
        });
    return pieces;
  }
  SectionWriter section;
  AddedTokens tokens;
};

TEST(AddedTokens, AreFoundAnywhereTheLongestFirst) {
  const Found found({{.content = "[A]"}, {.content = "[A]B"}});
  EXPECT_THAT(found.In("x[A]y[A]B[A"), ElementsAre("x", "{0:[A]}", "y", "{1:[A]B}", "[A"));
  EXPECT_THAT(found.In("[A][A]"), ElementsAre("{0:[A]}", "{0:[A]}"));
  EXPECT_THAT(found.In(""), ElementsAre());
}

TEST(AddedTokens, MayHaveToStandAlone) {
  const Found found({{.content = "no", .single_word = true}});
  EXPECT_THAT(found.In("no-no! nono"), ElementsAre("{0:no}", "-", "{0:no}", "! nono"));
  EXPECT_THAT(found.In("\u00e9no no\u0301"), ElementsAre("\u00e9no no\u0301"));
}

TEST(AddedTokens, TakeWhitespaceAlong) {
  const Found found({{.content = "<l>", .lstrip = true}, {.content = "<r>", .rstrip = true}});
  EXPECT_THAT(found.In("a \u3000<l> b"), ElementsAre("a", "{0: \u3000<l>}", " b"));
  EXPECT_THAT(found.In("a <r> \n<l>"), ElementsAre("a ", "{1:<r> \n}", "{0:<l>}"));
}

TEST(AddedTokens, AreNormalizedWhereAsked) {
  const Found found({{.content = "XYZ", .normalized = true}, {.content = "[P]"}});
  EXPECT_TRUE(found.tokens.any_normalized());
  EXPECT_THAT(found.In("an xyz", true), ElementsAre("an ", "{0:xyz}"));
  EXPECT_THAT(found.In("XYZ [P]", false), ElementsAre("XYZ ", "{1:[P]}"));
  EXPECT_EQ(found.tokens.DecodedForm(0), "xyz");
  EXPECT_EQ(found.tokens.DecodedForm(1), std::nullopt);
}

TEST(AddedTokens, MayNotCollide) {
  const absl::Status status = AddedTokens::Build(std::vector<AddedTokenSpec>{{.content = "ab", .normalized = true},
                                                                             {.content = "AB", .normalized = true}},
                                                 {.lowercase = true})
                                  .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"ab\" is there twice"));
  EXPECT_THAT(std::string(AddedTokens::Build(std::vector<AddedTokenSpec>{{.content = "\u00ad", .normalized = true}},
                                             {.clean_text = true})
                              .status()
                              .message()),
              HasSubstr("normalises to nothing"));
}

}  // namespace
}  // namespace ks
