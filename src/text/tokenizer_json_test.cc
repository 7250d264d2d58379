#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "text/tiny_tokenizer.h"
#include "text/tokenizer.h"
#include "text/tokenizer_spec.h"

namespace ks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Code = absl::StatusCode;

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(TokenizerJson, ReadsEveryPart) {
  const auto spec = ReadTokenizerJson(TinyTokenizer().Json(), "t.json");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->normalizer, (NormalizerOptions{true, true, true, true}));
  EXPECT_EQ(spec->model.vocabulary.size(), 8u);
  EXPECT_EQ(spec->model.max_chars_per_word, 100u);
  EXPECT_THAT(spec->post_processor.single,
              ElementsAre(TemplatePiece{1, 0}, TemplatePiece{TemplatePiece::kFirstText, 0}, TemplatePiece{2, 0}));
  ASSERT_EQ(spec->added_tokens.size(), 1u);
  EXPECT_TRUE(spec->added_tokens[0].special);
  EXPECT_EQ(spec->decoder.prefix, "##");
}

TEST(TokenizerJson, StripsAccentsByDefaultWhereItLowers) {
  TinyTokenizer tiny;
  tiny.normalizer = R"({"type":"BertNormalizer","lowercase":false,"strip_accents":null})";
  EXPECT_FALSE(ReadTokenizerJson(tiny.Json(), "t")->normalizer.strip_accents);
  tiny.normalizer = R"({"type":"BertNormalizer","lowercase":false,"strip_accents":true})";
  EXPECT_TRUE(ReadTokenizerJson(tiny.Json(), "t")->normalizer.strip_accents);
}

TEST(TokenizerJson, TakesOldModelsWithoutAType) {
  TinyTokenizer tiny;
  tiny.model_type = "";
  EXPECT_TRUE(ReadTokenizerJson(tiny.Json(), "t").ok());
  tiny.model_type = R"("merges":[],)";
  EXPECT_THAT(std::string(ReadTokenizerJson(tiny.Json(), "t").status().message()),
              HasSubstr("model: type BPE is not supported"));
}

TEST(TokenizerJson, FlattensTemplates) {
  TinyTokenizer tiny;
  tiny.post_processor = R"({"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":0}},
      {"SpecialToken":{"id":"end","type_id":3}}],"pair":[{"Sequence":{"id":"A","type_id":0}},
      {"Sequence":{"id":"B","type_id":1}}],"special_tokens":{"end":{"id":"end","ids":[2,7],"tokens":["[SEP]","!"]}}})";
  const auto spec = ReadTokenizerJson(tiny.Json(), "t");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_THAT(spec->post_processor.single,
              ElementsAre(TemplatePiece{TemplatePiece::kFirstText, 0}, TemplatePiece{2, 3}, TemplatePiece{7, 3}));
}

struct Bad {
  std::string from, to;
  Code code;
  std::string message;
};

TEST(TokenizerJson, SaysWhatIsWrongAndWhere) {
  const std::vector<Bad> cases = {
      {"{\"version\"", "[\"version\"", Code::kInvalidArgument, "t.json: not JSON"},
      {"\"1.0\"", "\"2.0\"", Code::kFailedPrecondition, "t.json: version: expected 1.0, found \"2.0\""},
      {"BertNormalizer", "NFKC", Code::kFailedPrecondition,
       "t.json: normalizer: type NFKC is not supported (supported: BertNormalizer, null)"},
      {"BertPreTokenizer", "ByteLevel", Code::kFailedPrecondition,
       "t.json: pre_tokenizer: type ByteLevel is not supported (supported: BertPreTokenizer)"},
      {R"({"type":"BertPreTokenizer"})", "null", Code::kFailedPrecondition,
       "pre_tokenizer: type null is not supported"},
      {"BertProcessing", "RobertaProcessing", Code::kFailedPrecondition,
       "post_processor: type RobertaProcessing is not supported (supported: BertProcessing, TemplateProcessing, null)"},
      {R"({"type":"WordPiece","prefix")", R"({"type":"ByteLevel","prefix")", Code::kFailedPrecondition,
       "decoder: type ByteLevel is not supported (supported: WordPiece, null)"},
      {R"("type":"WordPiece","unk)", R"("type":"Unigram","unk)", Code::kFailedPrecondition,
       "model: type Unigram is not supported (supported: WordPiece)"},
      {"\"unk_token\":\"[UNK]\"", "\"unk_token\":\"?\"", Code::kInvalidArgument,
       "t.json: model.unk_token: \"?\" is not in the vocabulary"},
      {"\"unk_token\":\"[UNK]\",", "", Code::kInvalidArgument, "t.json: model.unk_token: missing"},
      {"\"max_input_chars_per_word\":100", "\"max_input_chars_per_word\":0", Code::kInvalidArgument,
       "max_input_chars_per_word: expected an integer from 1 to 4096, found the integer 0"},
      {"\"a\":3", "\"a\":-3", Code::kInvalidArgument, "model.vocab.a: expected an integer from 0"},
      {"\"a\":3", "\"a\":4", Code::kInvalidArgument, "model.vocab: \"a\" and \"b\" have the id 4"},
      {"\"a\":3", "\"b\":3", Code::kInvalidArgument, "the key is given twice"},
      {"\"id\":1", "\"id\":5", Code::kInvalidArgument,
       "added_tokens[0]: id: \"[CLS]\" has the id 1 by the vocabulary, found 5"},
      {"\"content\":\"[CLS]\"", "\"content\":\"\"", Code::kInvalidArgument, "added_tokens[0]: content: empty"},
      {"[\"[SEP]\",2]", "[\"[SEP]\",99]", Code::kInvalidArgument,
       "post_processor: the special token 99 is no id of the vocabulary"},
      {"[\"[SEP]\",2]", "[2]", Code::kInvalidArgument, "post_processor.sep: expected [token, id], found an array of 1"},
  };
  for (const Bad& bad : cases) {
    const absl::Status status =
        Tokenizer::FromJson(Replaced(TinyTokenizer().Json(), bad.from, bad.to), "t.json").status();
    EXPECT_EQ(status.code(), bad.code) << bad.to << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(bad.message)) << bad.to;
  }
}

TEST(TokenizerJson, RefusesTemplatesThatUseATextTwice) {
  TinyTokenizer tiny;
  tiny.post_processor = R"({"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":0}},
      {"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{}})";
  const absl::Status status = ReadTokenizerJson(tiny.Json(), "t").status();
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("post_processor.single: expected A once and no B, found an array of 2"));
}

}  // namespace
}  // namespace ks
