// Expected ids and offsets are what the reference gave. Everything it knows is compared by tests/tokenizer_parity.py;
// here stand the contract, the limits and what bad bytes get.
#include "text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/mapped_file.h"
#include "text/tiny_tokenizer.h"

namespace ks {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Code = absl::StatusCode;

constexpr int32_t kCls = 101, kSep = 102;

const Tokenizer& Default() {
  static const Tokenizer* const tokenizer = new Tokenizer(
      *Tokenizer::FromJson(*ReadFile(KS_SOURCE_DIR "/models/default/tokenizer.json", 8 << 20), "tokenizer.json"));
  return *tokenizer;
}

Encoding Encoded(std::string_view text, const EncodeOptions& options = {}) {
  Encoding encoding;
  const absl::Status status = Default().Encode(text, options, encoding);
  EXPECT_TRUE(status.ok()) << status;
  return encoding;
}

Encoding EncodedPair(std::string_view a, std::string_view b, const EncodeOptions& options = {}) {
  Encoding encoding;
  const absl::Status status = Default().EncodePair(a, b, options, encoding);
  EXPECT_TRUE(status.ok()) << status;
  return encoding;
}

std::string Repeated(std::string_view text, size_t count) {
  std::string result;
  for (size_t i = 0; i < count; ++i) result += text;
  return result;
}

TEST(Tokenizer, GivesTheIdsOfTheReference) {
  EXPECT_THAT(Encoded("I love this").ids, ElementsAre(kCls, 1045, 2293, 2023, kSep));
  EXPECT_THAT(Encoded("Cr\u00e8me br\u00fbl\u00e9e!").ids,
              ElementsAre(kCls, 13675, 21382, 7987, 9307, 2063, 999, kSep));
  EXPECT_THAT(Encoded("").ids, ElementsAre(kCls, kSep));
}

TEST(Tokenizer, GivesOffsetsAndMaskWhereAsked) {
  const Encoding encoding = Encoded(" \u00c9t\u00e9 [MASK]", {.with_offsets = true, .with_special_mask = true});
  EXPECT_THAT(encoding.ids, ElementsAre(kCls, 3802, 2063, 103, kSep));
  EXPECT_THAT(encoding.offsets, ElementsAre(Offset{0, 0}, Offset{1, 3}, Offset{3, 4}, Offset{5, 11}, Offset{0, 0}));
  EXPECT_THAT(encoding.special_mask, ElementsAre(1, 0, 0, 0, 1));
  EXPECT_THAT(encoding.type_ids, ElementsAre(0, 0, 0, 0, 0));
  EXPECT_THAT(Encoded("x").offsets, IsEmpty());
  EXPECT_THAT(Encoded("x").special_mask, IsEmpty());
}

TEST(Tokenizer, LeavesSpecialTokensOutOnRequest) {
  EXPECT_THAT(Encoded("love", {.add_special_tokens = false}).ids, ElementsAre(2293));
  EXPECT_THAT(EncodedPair("love", "this", {.add_special_tokens = false}).type_ids, ElementsAre(0, 1));
}

TEST(Tokenizer, JoinsPairs) {
  const Encoding encoding = EncodedPair("I love", "this", {.with_offsets = true, .with_special_mask = true});
  EXPECT_THAT(encoding.ids, ElementsAre(kCls, 1045, 2293, kSep, 2023, kSep));
  EXPECT_THAT(encoding.type_ids, ElementsAre(0, 0, 0, 0, 1, 1));
  EXPECT_THAT(encoding.special_mask, ElementsAre(1, 0, 0, 1, 0, 1));
  EXPECT_EQ(encoding.offsets[4], (Offset{0, 4}));
}

TEST(Tokenizer, TruncatesOnEitherSideAndKeepsSpecialTokens) {
  const std::string text = "I love this movie";
  EXPECT_THAT(Encoded(text, {.max_tokens = 4}).ids, ElementsAre(kCls, 1045, 2293, kSep));
  const Encoding left = Encoded(text, {.max_tokens = 4, .side = TruncationSide::kLeft, .with_offsets = true});
  EXPECT_THAT(left.ids, ElementsAre(kCls, 2023, 3185, kSep));
  EXPECT_EQ(left.offsets[1], (Offset{7, 11}));
  EXPECT_TRUE(left.truncated);
  EXPECT_THAT(Encoded(text, {.max_tokens = 2}).ids, ElementsAre(kCls, kSep));
}

TEST(Tokenizer, SaysTruncatedOnlyWhereTokensAreMissing) {
  EXPECT_FALSE(Encoded("I love  ", {.max_tokens = 4}).truncated);
  EXPECT_TRUE(Encoded("I love .", {.max_tokens = 4}).truncated);
  EXPECT_TRUE(Encoded("unaffable", {.max_tokens = 3}).truncated);
  EXPECT_TRUE(Encoded("I [MASK] [MASK]", {.max_tokens = 4}).truncated);
  EXPECT_FALSE(EncodedPair("I", "love", {.max_tokens = 5}).truncated);
  EXPECT_TRUE(EncodedPair("I", "love this", {.max_tokens = 5}).truncated);
}

TEST(Tokenizer, GivesTheOddTokenOfAPairToTheLongerText) {
  const std::string longer = Repeated("a ", 50), shorter = Repeated("b ", 40);
  const auto firsts = [](const Encoding& encoding) {
    return std::count(encoding.type_ids.begin(), encoding.type_ids.end(), 0) - 2;
  };
  for (const TruncationSide side : {TruncationSide::kRight, TruncationSide::kLeft}) {
    EXPECT_EQ(firsts(EncodedPair(longer, shorter, {.max_tokens = 10, .side = side})), 4);
    EXPECT_EQ(firsts(EncodedPair(shorter, longer, {.max_tokens = 10, .side = side})), 3);
  }
}

TEST(Tokenizer, TruncationEqualsCuttingTheWholeEncoding) {
  const std::string text = Repeated("The unaffable [MASK] caf\u00e9, \u4e2d\u6587! ", 400);
  const EncodeOptions bare{.add_special_tokens = false, .with_offsets = true};
  const Encoding whole = Encoded(text, bare);
  for (const int max_tokens : {1, 2, 7, 100, 1000, 4000}) {
    EncodeOptions options = bare;
    options.max_tokens = max_tokens;
    const size_t count = std::min(static_cast<size_t>(max_tokens), whole.ids.size());
    const Encoding right = Encoded(text, options);
    EXPECT_EQ(right.ids, std::vector(whole.ids.begin(), whole.ids.begin() + static_cast<ptrdiff_t>(count)));
    options.side = TruncationSide::kLeft;
    const Encoding left = Encoded(text, options);
    EXPECT_EQ(left.ids, std::vector(whole.ids.end() - static_cast<ptrdiff_t>(count), whole.ids.end()));
    EXPECT_EQ(left.offsets, std::vector(whole.offsets.end() - static_cast<ptrdiff_t>(count), whole.offsets.end()));
  }
}

TEST(Tokenizer, TakesAWordOfTenMegabytes) {
  const std::string word(10 << 20, 'a');
  EXPECT_THAT(Encoded(word).ids, ElementsAre(kCls, 100, kSep));
  for (const TruncationSide side : {TruncationSide::kRight, TruncationSide::kLeft}) {
    // Every way through the text: mapped, dropped, put in order, nearly an added token.
    for (const std::string_view letter : {"\u00e9", "\u0301", "\u1b44", "[MASK", "\U0001d160"}) {
      const std::string text = Repeated(letter, (1 << 20) / letter.size());
      EXPECT_LE(Encoded(text, {.max_tokens = 8, .side = side, .with_offsets = true}).ids.size(), 8u);
    }
  }
}

TEST(Tokenizer, CutsTextsIntoWindows) {
  const std::string text = Repeated("I love this movie. ", 10);
  std::vector<Encoding> windows;
  ASSERT_TRUE(Default().EncodeWindows(text, 9, windows).ok());
  ASSERT_EQ(windows.size(), 8u);
  std::vector<int32_t> joined;
  for (const Encoding& window : windows) {
    EXPECT_LE(window.ids.size(), 9u);
    EXPECT_EQ(window.ids.front(), kCls);
    EXPECT_EQ(window.ids.back(), kSep);
    EXPECT_EQ(window.type_ids.size(), window.ids.size());
    joined.insert(joined.end(), window.ids.begin() + 1, window.ids.end() - 1);
  }
  EXPECT_EQ(joined, Encoded(text, {.add_special_tokens = false}).ids);

  ASSERT_TRUE(Default().EncodeWindows(" ", 9, windows).ok());
  ASSERT_EQ(windows.size(), 1u);
  EXPECT_THAT(windows[0].ids, ElementsAre(kCls, kSep));
}

TEST(Tokenizer, RefusesInputThatItCannotTake) {
  Encoding encoding;
  const absl::Status invalid = Default().Encode("abc\xFF", {}, encoding);
  EXPECT_EQ(invalid.code(), Code::kInvalidArgument);
  EXPECT_THAT(std::string(invalid.message()), HasSubstr("invalid UTF-8 at byte 3"));
  EXPECT_EQ(Default().EncodePair("a", "\xC3", {}, encoding).code(), Code::kInvalidArgument);
  const absl::Status room = Default().Encode("a", {.max_tokens = 1}, encoding);
  EXPECT_EQ(room.code(), Code::kInvalidArgument);
  EXPECT_THAT(std::string(room.message()), HasSubstr("max_tokens: 1 is below the 2 special tokens"));
  std::vector<Encoding> windows;
  EXPECT_THAT(std::string(Default().EncodeWindows("a", 2, windows).message()), HasSubstr("leaves no room"));
}

TEST(Tokenizer, ReusesTheCapacityOfTheEncoding) {
  Encoding encoding;
  const EncodeOptions options{.with_offsets = true, .with_special_mask = true};
  ASSERT_TRUE(Default().Encode("I love this movie", options, encoding).ok());
  const int32_t* const ids = encoding.ids.data();
  const Offset* const offsets = encoding.offsets.data();
  ASSERT_TRUE(Default().Encode("this movie", options, encoding).ok());
  EXPECT_EQ(encoding.ids.data(), ids);
  EXPECT_EQ(encoding.offsets.data(), offsets);
  EXPECT_EQ(encoding.ids.size(), 4u);
}

TEST(Tokenizer, Decodes) {
  const std::vector<int32_t> ids = Encoded("Unaffable, I don't [MASK]!").ids;
  EXPECT_EQ(Default().Decode(ids, false), "[CLS] unaffable, i don ' t [MASK]! [SEP]");
  EXPECT_EQ(Default().Decode(ids, true), "unaffable, i don ' t!");
  EXPECT_EQ(Default().Decode(std::vector<int32_t>{2293, -1, 1 << 30}, true), "love");
}

TEST(Tokenizer, KnowsItsVocabulary) {
  EXPECT_EQ(Default().vocab_size(), 30522);
  EXPECT_EQ(Default().TokenToId("love"), 2293);
  EXPECT_EQ(Default().TokenToId("[MASK]"), 103);
  EXPECT_EQ(Default().TokenToId("no such token"), std::nullopt);
  EXPECT_EQ(Default().IdToToken(2293), "love");
  EXPECT_EQ(Default().IdToToken(30522), "");
  EXPECT_EQ(Default().special_tokens_added(false), 2);
  EXPECT_EQ(Default().special_tokens_added(true), 3);
}

TEST(Tokenizer, FindsAddedTokensOutsideTheModel) {
  TinyTokenizer tiny;
  tiny.added_tokens +=
      R"(,{"id":8,"content":"Extra","single_word":false,"lstrip":false,"rstrip":false,"normalized":true,"special":false})";
  const auto tokenizer = Tokenizer::FromJson(tiny.Json(), "t");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  Encoding encoding;
  ASSERT_TRUE(tokenizer->Encode("a EXTRAb \u00c9xtra", {.with_offsets = true}, encoding).ok());
  EXPECT_THAT(encoding.ids, ElementsAre(1, 3, 8, 4, 8, 2));
  EXPECT_EQ(encoding.offsets[4], (Offset{9, 14}));
  EXPECT_EQ(tokenizer->TokenToId("Extra"), 8);
  EXPECT_EQ(tokenizer->Decode(std::vector<int32_t>{3, 8}, false), "a extra");
}

TEST(Tokenizer, CompilesToTheSameBytesAndBack) {
  const std::string bytes = Default().Compile();
  TinyTokenizer tiny, shuffled;
  shuffled.vocabulary = R"("!":7,"hello":6,"##b":5,"b":4,"a":3,"[SEP]":2,"[CLS]":1,"[UNK]":0)";
  EXPECT_EQ(Tokenizer::FromJson(tiny.Json(), "t")->Compile(), Tokenizer::FromJson(shuffled.Json(), "t")->Compile());

  const auto compiled = Tokenizer::FromCompiled(std::as_bytes(std::span(bytes)));
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  EXPECT_EQ(compiled->Compile(), bytes);
  Encoding encoding;
  ASSERT_TRUE(compiled->Encode("I love this", {}, encoding).ok());
  EXPECT_EQ(encoding.ids, Encoded("I love this").ids);
}

TEST(Tokenizer, RefusesCompiledBytesAtAnOddPlace) {
  const std::string bytes = "x" + Default().Compile();
  const auto tokenizer = Tokenizer::FromCompiled(std::as_bytes(std::span(bytes)).subspan(1));
  EXPECT_EQ(tokenizer.status().code(), Code::kInvalidArgument);
  EXPECT_THAT(std::string(tokenizer.status().message()), HasSubstr("a multiple of 8"));
}

// Every byte of a small file, changed, gives an error or a tokeniser that works without harm (the sanitizers watch).
TEST(Tokenizer, SurvivesDamagedCompiledBytes) {
  const std::string good = Tokenizer::FromJson(TinyTokenizer().Json(), "t")->Compile();
  std::mt19937 random(3);
  int refused = 0;
  Encoding encoding;
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = good;
    // The headers and small sections are hit as often as the large tables.
    const size_t at = random() % 2 == 0 ? random() % 400 : random() % bytes.size();
    bytes[at] = static_cast<char>(random());
    const auto tokenizer = Tokenizer::FromCompiled(std::as_bytes(std::span(bytes)));
    if (!tokenizer.ok()) {
      ++refused;
      EXPECT_THAT(std::string(tokenizer.status().message()), HasSubstr("tokenizer.bin: "));
      continue;
    }
    ASSERT_TRUE(
        tokenizer->Encode("Hello ab! \u00c9\uac01\u4e2d\U0001d160 [CLS]", {.with_offsets = true}, encoding).ok());
    EXPECT_THAT(encoding.ids, Each(::testing::AllOf(::testing::Ge(0), ::testing::Lt(tokenizer->vocab_size()))));
    tokenizer->Decode(encoding.ids, true);
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace ks
