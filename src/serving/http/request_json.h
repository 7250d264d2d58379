// The JSON bodies of requests, read into plain values. What is read here was written by strangers: fuzzed by
// fuzz/request_json_fuzz.cc.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "engine/engine.h"
#include "serving/service.h"

namespace ks {

struct BodyLimits {
  int max_text_chars = 10000;
  int max_batch_texts = 1000;
  int num_labels = 1;
};

// The texts of a request, copied out of its JSON: the document is some ten times as large and goes at once.
struct ClassifyBody {
  std::vector<std::string> texts;
  std::vector<std::optional<std::string>> pairs;  // none, or as many as texts
  ClassifyOptions options;                        // of what the body sets; the rest as by default

  // Views into this object.
  std::vector<TextInput> Inputs() const&;
};

// The body as JSON, nested at most 64 deep.
// Errors (kInvalidArgument): it is none; the message begins with "body: ". This is a 400, all below are 422.
absl::StatusOr<JsonDocument> ParseBody(std::string_view body);

// Each reads one kind of body. Unknown fields are ignored, null counts as not given (but for the text itself).
// Errors, by CodeOf, with the path of the value and what was found there: kInvalidInput, kTextEmpty, kTextTooLong; for
// several texts also kBatchEmpty and kBatchTooBig.

// {"text", "text_pair", "top_k", "long_text"}
absl::StatusOr<ClassifyBody> ReadPredictBody(const JsonValue& root, const BodyLimits& limits);
// {"texts", "text_pairs", "top_k", "long_text"}
absl::StatusOr<ClassifyBody> ReadBatchBody(const JsonValue& root, const BodyLimits& limits);
// {"inputs", "parameters": {"function_to_apply", "top_k"}}; a top_k above the number of labels means all, as in the
// pipelines whose users call this.
absl::StatusOr<ClassifyBody> ReadHuggingFaceBody(const JsonValue& root, const BodyLimits& limits);
// {"prediction_id", "corrected_label", "predicted_label", "model", "backend"}; the values are Service::AddFeedback's to
// check.
absl::StatusOr<Feedback> ReadFeedbackBody(const JsonValue& root);

}  // namespace ks
