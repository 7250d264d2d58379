// Tested by request_json_test.cc.
#include "serving/http/request_json.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "base/status_macros.h"
#include "engine/error.h"
#include "serving/text_check.h"

namespace ks {
namespace {

// What base/json says of a value is a client's error here.
absl::Status AsClientError(const absl::Status& status) {
  if (status.ok() || CodeOf(status) != ErrorCode::kInternal) return status;
  return MakeError(ErrorCode::kInvalidInput, ToStd(status.message()));
}

absl::StatusOr<JsonObject> BodyObject(const JsonValue& root) {
  if (root.is_object()) return root.AsObject();
  return WithContext(root.Unexpected("an object"), "body");
}

absl::StatusOr<std::string> ReadText(const JsonValue& value, const BodyLimits& limits) {
  KS_ASSIGN_OR_RETURN(const std::string_view text, value.AsString());
  KS_RETURN_IF_ERROR(CheckText(value.path(), text, limits.max_text_chars));
  return std::string(text);
}

absl::Status CheckBatchSize(const JsonValue& array, const BodyLimits& limits) {
  if (array.size() == 0) return MakeError(ErrorCode::kBatchEmpty, Cat(array.path(), " is empty"));
  if (array.size() > static_cast<size_t>(limits.max_batch_texts)) {
    return MakeError(ErrorCode::kBatchTooBig, Cat(array.path(), " has ", array.size(), " texts, the limit is ",
                                                  limits.max_batch_texts, " (max-batch-texts)"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ReadTexts(const JsonValue& array, const BodyLimits& limits) {
  if (!array.is_array()) return array.Unexpected("an array of strings");
  KS_RETURN_IF_ERROR(CheckBatchSize(array, limits));
  KS_ASSIGN_OR_RETURN(const std::vector<JsonValue> values, array.AsArray());
  std::vector<std::string> texts;
  texts.reserve(values.size());
  for (const JsonValue& value : values) {
    KS_ASSIGN_OR_RETURN(std::string text, ReadText(value, limits));
    texts.push_back(std::move(text));
  }
  return texts;
}

// As many as `texts`, null where there is none.
absl::StatusOr<std::vector<std::optional<std::string>>> ReadPairs(const JsonValue& array, size_t texts,
                                                                  const BodyLimits& limits) {
  if (!array.is_array() || array.size() != texts) {
    return array.Unexpected(Cat("an array of ", texts, ", as many as texts, each a string or null"));
  }
  KS_ASSIGN_OR_RETURN(const std::vector<JsonValue> values, array.AsArray());
  std::vector<std::optional<std::string>> pairs;
  pairs.reserve(values.size());
  for (const JsonValue& value : values) {
    if (value.is_null()) {
      pairs.emplace_back();
      continue;
    }
    KS_ASSIGN_OR_RETURN(std::string pair, ReadText(value, limits));
    pairs.emplace_back(std::move(pair));
  }
  return pairs;
}

template <typename T, size_t N>
absl::StatusOr<T> ReadName(const JsonValue& value, const std::array<std::pair<std::string_view, T>, N>& names) {
  if (value.is_string()) {
    KS_ASSIGN_OR_RETURN(const std::string_view text, value.AsString());
    for (const auto& [name, meaning] : names) {
      if (name == text) return meaning;
    }
  }
  std::string expected = "one of";
  for (const auto& [name, meaning] : names) expected += Cat(" \"", name, "\"");
  return value.Unexpected(expected);
}

constexpr std::array<std::pair<std::string_view, LongText>, 2> kLongTexts = {
    {{"truncate", LongText::kTruncate}, {"windows", LongText::kWindows}}};
constexpr std::array<std::pair<std::string_view, Activation>, 3> kActivations = {
    {{"softmax", Activation::kSoftmax}, {"sigmoid", Activation::kSigmoid}, {"none", Activation::kNone}}};

// A whole number from 1 to `max`, also written as 2.0: JSON Schema makes no difference. 0 where none is given.
absl::StatusOr<int64_t> ReadTopK(const JsonObject& object, int64_t max) {
  const JsonValue* value = object.FindNonNull("top_k");
  if (value == nullptr) return 0;
  if (value->type() == JsonType::kDouble) {
    KS_ASSIGN_OR_RETURN(const double number, value->AsDouble());
    if (number >= 1 && number <= static_cast<double>(max) && std::trunc(number) == number) {
      return static_cast<int64_t>(number);
    }
  }
  return value->AsInt(1, max);
}

// top_k and long_text, the same for one text and for many.
absl::Status ReadOptions(const JsonObject& object, const BodyLimits& limits, ClassifyBody& body) {
  KS_ASSIGN_OR_RETURN(const int64_t top_k, ReadTopK(object, limits.num_labels));
  body.options.top_k = static_cast<int>(top_k);
  if (const JsonValue* long_text = object.FindNonNull("long_text")) {
    KS_ASSIGN_OR_RETURN(body.options.long_text, ReadName(*long_text, kLongTexts));
  }
  const bool has_pair =
      std::any_of(body.pairs.begin(), body.pairs.end(), [](const auto& pair) { return pair.has_value(); });
  if (has_pair && body.options.long_text == LongText::kWindows) {
    return MakeError(ErrorCode::kInvalidInput, "long_text: \"windows\" is not for pairs of texts");
  }
  return absl::OkStatus();
}

absl::StatusOr<ClassifyBody> PredictBody(const JsonValue& root, const BodyLimits& limits) {
  KS_ASSIGN_OR_RETURN(const JsonObject object, BodyObject(root));
  if (const JsonValue* inputs = object.Find("inputs")) {
    return inputs->Problem(object.Find("text") == nullptr ? "not taken on this path: send text, or post to /"
                                                          : "given together with text: which of them is meant?");
  }
  ClassifyBody body;
  KS_ASSIGN_OR_RETURN(const JsonValue value, object.Require("text"));
  KS_ASSIGN_OR_RETURN(std::string text, ReadText(value, limits));
  body.texts.push_back(std::move(text));
  if (const JsonValue* pair_value = object.FindNonNull("text_pair")) {
    KS_ASSIGN_OR_RETURN(std::string pair, ReadText(*pair_value, limits));
    body.pairs.emplace_back(std::move(pair));
  }
  KS_RETURN_IF_ERROR(ReadOptions(object, limits, body));
  return body;
}

absl::StatusOr<ClassifyBody> BatchBody(const JsonValue& root, const BodyLimits& limits) {
  KS_ASSIGN_OR_RETURN(const JsonObject object, BodyObject(root));
  ClassifyBody body;
  KS_ASSIGN_OR_RETURN(const JsonValue texts, object.Require("texts"));
  KS_ASSIGN_OR_RETURN(body.texts, ReadTexts(texts, limits));
  if (const JsonValue* pairs = object.FindNonNull("text_pairs")) {
    KS_ASSIGN_OR_RETURN(body.pairs, ReadPairs(*pairs, body.texts.size(), limits));
  }
  KS_RETURN_IF_ERROR(ReadOptions(object, limits, body));
  return body;
}

absl::StatusOr<ClassifyBody> HuggingFaceBody(const JsonValue& root, const BodyLimits& limits) {
  KS_ASSIGN_OR_RETURN(const JsonObject object, BodyObject(root));
  ClassifyBody body;
  KS_ASSIGN_OR_RETURN(const JsonValue inputs, object.Require("inputs"));
  if (inputs.is_array()) {
    KS_ASSIGN_OR_RETURN(body.texts, ReadTexts(inputs, limits));
  } else if (inputs.is_string()) {
    KS_ASSIGN_OR_RETURN(std::string text, ReadText(inputs, limits));
    body.texts.push_back(std::move(text));
  } else {
    return inputs.Unexpected("a string or an array of strings");
  }
  const JsonValue* parameters_value = object.FindNonNull("parameters");
  if (parameters_value == nullptr) return body;
  KS_ASSIGN_OR_RETURN(const JsonObject parameters, parameters_value->AsObject());
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  KS_ASSIGN_OR_RETURN(const int64_t top_k, ReadTopK(parameters, kMost));
  body.options.top_k = static_cast<int>(std::min<int64_t>(top_k, limits.num_labels));
  if (const JsonValue* function = parameters.FindNonNull("function_to_apply")) {
    KS_ASSIGN_OR_RETURN(body.options.activation, ReadName(*function, kActivations));
  }
  return body;
}

absl::StatusOr<Feedback> FeedbackBody(const JsonValue& root) {
  KS_ASSIGN_OR_RETURN(const JsonObject object, BodyObject(root));
  Feedback feedback;
  KS_ASSIGN_OR_RETURN(feedback.prediction_id, object.RequireString("prediction_id"));
  KS_ASSIGN_OR_RETURN(feedback.corrected_label, object.RequireString("corrected_label"));
  const std::pair<std::string_view, std::optional<std::string>*> optional[] = {
      {"predicted_label", &feedback.predicted_label}, {"model", &feedback.model}, {"backend", &feedback.backend}};
  for (const auto& [key, field] : optional) {
    const JsonValue* value = object.FindNonNull(key);
    if (value == nullptr) continue;
    KS_ASSIGN_OR_RETURN(*field, value->AsString());
  }
  return feedback;
}

template <typename T>
absl::StatusOr<T> WithClientErrors(absl::StatusOr<T> result) {
  if (!result.ok()) return AsClientError(result.status());
  return result;
}

}  // namespace

std::vector<TextInput> ClassifyBody::Inputs() const& {
  std::vector<TextInput> inputs;
  inputs.reserve(texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    TextInput input{.text = texts[i]};
    if (!pairs.empty() && pairs[i].has_value()) input.pair = *pairs[i];
    inputs.push_back(input);
  }
  return inputs;
}

absl::StatusOr<JsonDocument> ParseBody(std::string_view body) {
  // The size was limited when the body was read.
  constexpr size_t kNoFurtherLimit = size_t{1} << 31;
  absl::StatusOr<JsonDocument> document =
      JsonDocument::Parse(body, "", {.max_bytes = kNoFurtherLimit, .max_depth = 64});
  if (!document.ok()) return WithContext(document.status(), "body");
  return document;
}

absl::StatusOr<ClassifyBody> ReadPredictBody(const JsonValue& root, const BodyLimits& limits) {
  return WithClientErrors(PredictBody(root, limits));
}
absl::StatusOr<ClassifyBody> ReadBatchBody(const JsonValue& root, const BodyLimits& limits) {
  return WithClientErrors(BatchBody(root, limits));
}
absl::StatusOr<ClassifyBody> ReadHuggingFaceBody(const JsonValue& root, const BodyLimits& limits) {
  return WithClientErrors(HuggingFaceBody(root, limits));
}
absl::StatusOr<Feedback> ReadFeedbackBody(const JsonValue& root) { return WithClientErrors(FeedbackBody(root)); }

}  // namespace ks
