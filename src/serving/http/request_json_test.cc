#include "serving/http/request_json.h"

#include <string>
#include <vector>

#include "engine/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr BodyLimits kLimits = {.max_text_chars = 10, .max_batch_texts = 3, .num_labels = 3};

// The text of a body, parsed and read.
template <typename Read>
auto ReadJson(Read read, std::string_view body) -> decltype(read(std::declval<JsonValue>(), kLimits)) {
  absl::StatusOr<JsonDocument> document = ParseBody(body);
  if (!document.ok()) return document.status();
  return read(document->root(), kLimits);
}

struct BadBody {
  std::string body;
  ErrorCode code;
  std::string message;  // a part of it
};

template <typename Read>
void ExpectErrors(Read read, const std::vector<BadBody>& cases) {
  for (const BadBody& bad : cases) {
    const auto result = ReadJson(read, bad.body);
    ASSERT_FALSE(result.ok()) << bad.body;
    EXPECT_EQ(CodeOf(result.status()), bad.code) << bad.body << ": " << result.status();
    EXPECT_THAT(std::string(result.status().message()), HasSubstr(bad.message));
  }
}

TEST(ParseBody, RefusesWhatIsNotJson) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "body: empty"},
      {"not json", "body: not JSON"},
      {"{\"text\":\"a\"} x", "body: not JSON"},
      {"{\"text\":\"\xff\"}", "UTF-8"},
      {R"({"text":"\ud800"})", "unpaired surrogate"},
      {std::string(1'000'000, '['), "body: "},
      {std::string(100, '[') + std::string(100, ']'), "deeper than 64"},
      {R"({"text":"a",})", "body: "},
      {R"({"top_k":1e999,"text":"a"})", "number"},
  };
  for (const auto& [body, message] : cases) {
    const auto document = ParseBody(body);
    ASSERT_FALSE(document.ok()) << body.substr(0, 40);
    EXPECT_EQ(document.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(document.status().message()), HasSubstr(message));
  }
}

TEST(ReadPredictBody, TakesATextAlone) {
  const auto body = ReadJson(ReadPredictBody, R"({"text":" I \u00e4 ","unknown":{"a":[1]}})");
  ASSERT_TRUE(body.ok()) << body.status();
  EXPECT_THAT(body->texts, ElementsAre(" I \xC3\xA4 ")) << "nothing is trimmed";
  EXPECT_TRUE(body->pairs.empty());
  EXPECT_EQ(body->options.top_k, 0);
  EXPECT_EQ(body->options.long_text, LongText::kTruncate);
  ASSERT_EQ(body->Inputs().size(), 1u);
  EXPECT_EQ(body->Inputs()[0].pair, std::nullopt);
}

TEST(ReadPredictBody, TakesEveryOption) {
  const auto body = ReadJson(ReadPredictBody, R"({"text":"a","text_pair":"b","top_k":3,"long_text":"truncate"})");
  ASSERT_TRUE(body.ok()) << body.status();
  EXPECT_EQ(body->options.top_k, 3);
  EXPECT_EQ(body->Inputs()[0].pair, "b");
  const auto windows = ReadJson(ReadPredictBody, R"({"text":"a","text_pair":null,"top_k":null,"long_text":"windows"})");
  ASSERT_TRUE(windows.ok()) << windows.status();
  EXPECT_EQ(windows->options.long_text, LongText::kWindows);
}

TEST(ReadPredictBody, TakesAWholeNumberHoweverItIsWritten) {
  const auto body = ReadJson(ReadPredictBody, R"({"text":"a","top_k":2.0,"unknown":35898816584788696054628352})");
  ASSERT_TRUE(body.ok()) << body.status();
  EXPECT_EQ(body->options.top_k, 2);
  ExpectErrors(ReadPredictBody, {{R"({"text":"a","top_k":99999999999999999999})", ErrorCode::kInvalidInput, "top_k"},
                                 {R"({"text":"a","top_k":1.5})", ErrorCode::kInvalidInput, "top_k"},
                                 {R"({"text":"a","top_k":4.0})", ErrorCode::kInvalidInput, "top_k"}});
}

TEST(ReadPredictBody, NamesWhatIsWrong) {
  ExpectErrors(ReadPredictBody,
               {
                   {R"([])", ErrorCode::kInvalidInput, "body: expected an object, found an array of 0"},
                   {R"("text")", ErrorCode::kInvalidInput, "body: expected an object, found a string"},
                   {R"({})", ErrorCode::kInvalidInput, "text: missing"},
                   {R"({"text":null})", ErrorCode::kInvalidInput, "text: expected a string, found null"},
                   {R"({"text":12})", ErrorCode::kInvalidInput, "text: expected a string, found the integer 12"},
                   {R"({"text":["a"]})", ErrorCode::kInvalidInput, "text: expected a string, found an array of 1"},
                   {R"({"text":"a","text":"b"})", ErrorCode::kInvalidInput, "text: the key is given twice"},
                   {R"({"x":1,"text":"a","x":2})", ErrorCode::kInvalidInput, "x: the key is given twice"},
                   {R"({"text":"a\u0000b"})", ErrorCode::kInvalidInput, "text holds a NUL at character 1"},
                   {R"({"text":""})", ErrorCode::kTextEmpty, "text is empty"},
                   {R"({"text":" \n\u3000"})", ErrorCode::kTextEmpty, "text is blank"},
                   {R"({"text":"01234567890"})", ErrorCode::kTextTooLong, "text has 11 characters, the limit is 10"},
                   {R"({"text":"a","text_pair":""})", ErrorCode::kTextEmpty, "text_pair is empty"},
                   {R"({"text":"a","text_pair":7})", ErrorCode::kInvalidInput, "text_pair: expected a string"},
                   {R"({"text":"a","top_k":0})", ErrorCode::kInvalidInput,
                    "top_k: expected an integer from 1 to 3, found the integer 0"},
                   {R"({"text":"a","top_k":4})", ErrorCode::kInvalidInput, "top_k"},
                   {R"({"text":"a","top_k":1.5})", ErrorCode::kInvalidInput, "top_k"},
                   {R"({"text":"a","long_text":"middle"})", ErrorCode::kInvalidInput,
                    R"(long_text: expected one of "truncate" "windows")"},
                   {R"({"text":"a","long_text":1})", ErrorCode::kInvalidInput, "long_text"},
                   {R"({"text":"a","text_pair":"b","long_text":"windows"})", ErrorCode::kInvalidInput, "not for pairs"},
                   {R"({"inputs":"a"})", ErrorCode::kInvalidInput, "inputs: not taken on this path"},
                   {R"({"text":"a","inputs":"a"})", ErrorCode::kInvalidInput, "inputs: given together with text"},
               });
}

TEST(ReadPredictBody, RepeatsNoText) {
  const auto body = ReadJson(ReadPredictBody, R"({"text":"private","long_text":"also private"})");
  ASSERT_FALSE(body.ok());
  EXPECT_THAT(std::string(body.status().message()), Not(HasSubstr("private")));
}

TEST(ReadBatchBody, TakesTextsWithAndWithoutPairs) {
  const auto body = ReadJson(ReadBatchBody, R"({"texts":["a","b"],"text_pairs":[null,"c"]})");
  ASSERT_TRUE(body.ok()) << body.status();
  const auto inputs = body->Inputs();
  ASSERT_EQ(inputs.size(), 2u);
  EXPECT_EQ(inputs[0].pair, std::nullopt);
  EXPECT_EQ(inputs[1].pair, "c");
  EXPECT_TRUE(ReadJson(ReadBatchBody, R"({"texts":["a"],"text_pairs":[null],"long_text":"windows"})").ok());
}

TEST(ReadBatchBody, NamesWhatIsWrong) {
  ExpectErrors(
      ReadBatchBody,
      {
          {R"({})", ErrorCode::kInvalidInput, "texts: missing"},
          {R"({"texts":"a"})", ErrorCode::kInvalidInput, "texts: expected an array of strings, found a string"},
          {R"({"texts":[]})", ErrorCode::kBatchEmpty, "texts is empty"},
          {R"({"texts":["a","a","a","a"]})", ErrorCode::kBatchTooBig,
           "texts has 4 texts, the limit is 3 (max-batch-texts)"},
          {R"({"texts":["a","b",4]})", ErrorCode::kInvalidInput, "texts[2]: expected a string, found the integer 4"},
          {R"({"texts":["a"," "]})", ErrorCode::kTextEmpty, "texts[1] is blank"},
          {R"({"texts":["a","01234567890"]})", ErrorCode::kTextTooLong, "texts[1] has 11"},
          {R"({"texts":["a","b"],"text_pairs":["c"]})", ErrorCode::kInvalidInput, "text_pairs: expected an array of 2"},
          {R"({"texts":["a","b"],"text_pairs":"c"})", ErrorCode::kInvalidInput, "text_pairs: expected an array of 2"},
          {R"({"texts":["a","b"],"text_pairs":[null,5]})", ErrorCode::kInvalidInput,
           "text_pairs[1]: expected a string"},
          {R"({"texts":["a"],"text_pairs":["b"],"long_text":"windows"})", ErrorCode::kInvalidInput, "not for pairs"},
      });
}

TEST(ReadHuggingFaceBody, TakesOneTextOrMany) {
  for (const char* parameters :
       {"", R"(,"parameters":null)", R"(,"parameters":{})", R"(,"parameters":{"top_k":null,"x":1})"}) {
    const auto body = ReadJson(ReadHuggingFaceBody, std::string(R"({"inputs":"a")") + parameters + "}");
    ASSERT_TRUE(body.ok()) << body.status();
    EXPECT_THAT(body->texts, ElementsAre("a"));
    EXPECT_EQ(body->options.top_k, 0);
    EXPECT_EQ(body->options.activation, std::nullopt);
  }
  const auto many =
      ReadJson(ReadHuggingFaceBody, R"({"inputs":["a","b"],"parameters":{"function_to_apply":"sigmoid","top_k":100}})");
  ASSERT_TRUE(many.ok()) << many.status();
  EXPECT_THAT(many->texts, ElementsAre("a", "b"));
  EXPECT_EQ(many->options.top_k, 3) << "more than there are means all";
  EXPECT_EQ(many->options.activation, Activation::kSigmoid);
}

TEST(ReadHuggingFaceBody, NamesWhatIsWrong) {
  ExpectErrors(ReadHuggingFaceBody,
               {
                   {R"({})", ErrorCode::kInvalidInput, "inputs: missing"},
                   {R"({"inputs":{"text":"a"}})", ErrorCode::kInvalidInput, "inputs: expected a string or an array"},
                   {R"({"inputs":""})", ErrorCode::kTextEmpty, "inputs is empty"},
                   {R"({"inputs":[]})", ErrorCode::kBatchEmpty, "inputs is empty"},
                   {R"({"inputs":["a",["b"]]})", ErrorCode::kInvalidInput, "inputs[1]: expected a string"},
                   {R"({"inputs":"a","parameters":[]})", ErrorCode::kInvalidInput, "parameters: expected an object"},
                   {R"({"inputs":"a","parameters":{"top_k":0}})", ErrorCode::kInvalidInput, "parameters.top_k"},
                   {R"({"inputs":"a","parameters":{"top_k":"2"}})", ErrorCode::kInvalidInput, "parameters.top_k"},
                   {R"({"inputs":"a","parameters":{"function_to_apply":"relu"}})", ErrorCode::kInvalidInput,
                    "parameters.function_to_apply: expected one of"},
               });
}

TEST(ReadFeedbackBody, TakesTwoFieldsOrFive) {
  const auto read = [](const JsonValue& root, const BodyLimits&) { return ReadFeedbackBody(root); };
  const auto two = ReadJson(read, R"({"prediction_id":"i","corrected_label":"l","model":null})");
  ASSERT_TRUE(two.ok()) << two.status();
  EXPECT_EQ(two->model, std::nullopt);
  const auto five =
      ReadJson(read, R"({"prediction_id":"i","corrected_label":"l","predicted_label":"p","model":"m","backend":"b"})");
  ASSERT_TRUE(five.ok()) << five.status();
  EXPECT_EQ(five->prediction_id, "i");
  EXPECT_EQ(five->corrected_label, "l");
  EXPECT_EQ(five->predicted_label, "p");
  EXPECT_EQ(five->model, "m");
  EXPECT_EQ(five->backend, "b");
  ExpectErrors(
      read, {{R"({"corrected_label":"l"})", ErrorCode::kInvalidInput, "prediction_id: missing"},
             {R"({"prediction_id":5,"corrected_label":"l"})", ErrorCode::kInvalidInput, "prediction_id: expected"},
             {R"({"prediction_id":"i","corrected_label":"l","model":5})", ErrorCode::kInvalidInput, "model: expected"},
             {R"(5)", ErrorCode::kInvalidInput, "body: expected an object"}});
}

}  // namespace
}  // namespace ks
