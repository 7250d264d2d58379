// Schemas as templates: JSON with @NAME@ where the running model puts a value. Requests say no more than is checked, so
// that every body that fits is answered; answers say all. Tested by openapi_test.cc.
#include "serving/http/openapi_schemas.h"

#include <set>
#include <string_view>
#include <utility>

#include "base/strings.h"
#include "serving/error_map.h"
#include "serving/text_check.h"

namespace ks {
namespace {

constexpr std::string_view kTemplate = R"({
"Text":{"type":"string","minLength":1,"maxLength":@MAX_CHARS@,"pattern":@TEXT_PATTERN@,
  "description":"Not blank, without NUL; at most max-text-chars characters."},
"TextOrNull":{"anyOf":[{"$ref":"#/components/schemas/Text"},{"type":"null"}]},
"TopK":{"type":["integer","null"],"minimum":1,"maximum":@LABEL_COUNT@,"description":"How many scores; all where absent."},
"LongText":{"enum":["truncate","windows",null],
  "description":"What happens beyond the window: the head answers, or the mean over windows."},
"Uuid":{"type":"string","format":"uuid",
  "pattern":"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"},
"Label":{"type":"string","enum":@LABELS@},
"Score":@SCORE@,
"PredictRequest":{"type":"object","required":["text"],
  "properties":{"text":{"$ref":"#/components/schemas/Text"},"text_pair":{"$ref":"#/components/schemas/TextOrNull"},
    "top_k":{"$ref":"#/components/schemas/TopK"},"long_text":{"$ref":"#/components/schemas/LongText"}},
  "anyOf":[{"properties":{"long_text":{"enum":["truncate",null]}}},{"properties":{"text_pair":{"type":"null"}}}],
  "examples":[{"text":"I love this"},{"text":"I love this","top_k":1,"long_text":"windows"}]},
"BatchRequest":{"type":"object","required":["texts"],
  "properties":{"texts":{"type":"array","minItems":1,"maxItems":@MAX_TEXTS@,"items":{"$ref":"#/components/schemas/Text"}},
    "top_k":{"$ref":"#/components/schemas/TopK"},"long_text":{"$ref":"#/components/schemas/LongText"}},
  "examples":[{"texts":["I love this","I hate this"]}]},
"HuggingFaceRequest":{"type":"object","required":["inputs"],
  "properties":{"inputs":{"anyOf":[{"$ref":"#/components/schemas/Text"},
      {"type":"array","minItems":1,"maxItems":@MAX_TEXTS@,"items":{"$ref":"#/components/schemas/Text"}}]},
    "parameters":{"type":["object","null"],"properties":{
      "top_k":{"type":["integer","null"],"minimum":1,"maximum":2147483647},
      "function_to_apply":{"enum":["softmax","sigmoid","none",null]}}}},
  "examples":[{"inputs":"I love this"},{"inputs":["I love this","I hate this"],"parameters":{"top_k":1}}]},
"FeedbackRequest":{"type":"object","required":["prediction_id","corrected_label"],
  "properties":{"prediction_id":{"$ref":"#/components/schemas/Uuid"},"corrected_label":{"$ref":"#/components/schemas/Label"},
    "predicted_label":{"enum":@LABELS_OR_NULL@},"model":{"enum":[@MODEL@,null]},"backend":{"enum":@BACKENDS_OR_NULL@}},
  "anyOf":[{"required":["predicted_label","model","backend"],
      "properties":{"predicted_label":{"type":"string"},"model":{"type":"string"},"backend":{"type":"string"}}},
    {"properties":{"predicted_label":{"type":"null"},"model":{"type":"null"},"backend":{"type":"null"}}}],
  "examples":[{"prediction_id":"00000000-0000-4000-8000-000000000000","corrected_label":@FIRST_LABEL@,
    "predicted_label":@FIRST_LABEL@,"model":@MODEL@,"backend":@BACKEND@}]},
"Prediction":{"type":"object","additionalProperties":false,
  "required":["label","score","scores",@LABELS_REQUIRED@"prediction_id","inference_time_ms","model_name","backend","text_length",
    "tokens","truncated"],
  "properties":{"label":{"$ref":"#/components/schemas/Label"},"score":{"$ref":"#/components/schemas/Score"},
    "scores":{"type":"object","additionalProperties":false,"minProperties":1,"properties":@SCORES@},@LABELS_PROPERTY@
    "prediction_id":{"$ref":"#/components/schemas/Uuid"},"inference_time_ms":{"type":"number","minimum":0},
    "model_name":{"enum":[@MODEL@]},"backend":{"enum":@BACKENDS@},
    "text_length":{"type":"integer","minimum":1,"maximum":@MAX_CHARS@},"tokens":{"type":"integer","minimum":1},
    "truncated":{"type":"boolean"}}},
"BatchResult":{"type":"object","additionalProperties":false,"required":["results","total","inference_time_ms"],
  "properties":{"results":{"type":"array","minItems":1,"maxItems":@MAX_TEXTS@,"items":{"$ref":"#/components/schemas/Prediction"}},
    "total":{"type":"integer","minimum":1,"maximum":@MAX_TEXTS@},"inference_time_ms":{"type":"number","minimum":0}}},
"HuggingFaceResult":{"type":"array","minItems":1,"items":{"type":"array","minItems":1,"maxItems":@LABEL_COUNT@,
  "items":{"type":"object","additionalProperties":false,"required":["label","score"],
    "properties":{"label":{"$ref":"#/components/schemas/Label"},"score":{"type":"number"}}}}},
"FeedbackResult":{"type":"object","additionalProperties":false,"required":["prediction_id","agreed","counted"],
  "properties":{"prediction_id":{"$ref":"#/components/schemas/Uuid"},"agreed":{"type":"boolean"},
    "counted":{"type":"boolean","description":"false: there was feedback for this prediction before"}}},
"SecondBackend":{"type":["object","null"],"additionalProperties":false,"required":["backend","share"],
  "properties":{"backend":{"type":"string"},"share":{"type":"number","minimum":0,"maximum":1}},
  "description":"A backend beside the default, and its share of the requests."},
"ModelInfo":{"type":"object","additionalProperties":false,
  "required":["name","version","backend","allowed_backends","canary","shadow","precision","precision_reason","labels",
    "activation","temperature","int8","gate","window","source_sha256","files","validation","cpu","limits","tokens_per_second","warnings"],
  "properties":{"name":{"type":"string"},"version":{"type":"string"},"backend":{"enum":@BACKENDS@},
    "allowed_backends":{"type":"array","items":{"enum":@BACKENDS@},"description":"Whom a request may name."},
    "canary":{"$ref":"#/components/schemas/SecondBackend"},"shadow":{"$ref":"#/components/schemas/SecondBackend"},
    "precision":{"enum":["fp32","int8"]},"precision_reason":{"enum":["configured","default","int8_self_check_failed"]},
    "labels":{"type":"array","items":{"$ref":"#/components/schemas/Label"}},
    "activation":{"enum":["softmax","sigmoid","none"]},
    "temperature":{"type":"number","exclusiveMinimum":0,"description":"Divides the logits inside softmax and sigmoid."},
    "int8":{"type":["object","null"],"additionalProperties":false,"required":["calibrated","fp32_layers"],
      "properties":{"calibrated":{"type":"boolean","description":"Weights fitted to texts; otherwise each is rounded alone."},
        "fp32_layers":{"type":"array","items":{"type":"string"},"description":"Dense layers left in fp32."}},
      "description":"How the package's int8 weights were made; null where it has none."},
    "gate":{"enum":["passed","skipped",null],
      "description":"What comparing int8 with fp32 gave when the package was made; null where it has one precision."},
    "window":{"type":"integer","minimum":1},
    "source_sha256":{"type":"string"},
    "files":{"type":"array","items":{"type":"object","additionalProperties":false,"required":["name","size_bytes","sha256"],
      "properties":{"name":{"type":"string"},"size_bytes":{"type":"integer","minimum":0},
        "sha256":{"type":"string","pattern":"^[0-9a-f]{64}$"}}}},
    "validation":{"type":["object","null"],"description":"What was measured when the package was made."},
    "cpu":{"type":"object","additionalProperties":false,"required":["model","features"],
      "properties":{"model":{"type":"string"},"features":{"type":"array","items":{"type":"string"}}}},
    "limits":{"type":"object","additionalProperties":false,
      "required":["max_text_chars","max_batch_texts","max_batch_tokens","max_queue_tokens"],
      "properties":{"max_text_chars":{"type":"integer"},"max_batch_texts":{"type":"integer"},
        "max_batch_tokens":{"type":"integer"},"max_queue_tokens":{"type":"integer"}}},
    "tokens_per_second":{"type":"number","minimum":0,"description":"Measured over the last runs; 0 before the first."},
    "warnings":{"type":"array","items":{"type":"string"}}}},
"Status":{"type":"object","additionalProperties":false,"required":["status"],
  "properties":{"status":{"enum":["live","ready"]}}},
"Health":{"type":"object","additionalProperties":false,
  "required":["status","ready","reason","draining","model","version","queue_tokens","queue_limit_tokens","uptime_seconds"],
  "properties":{"status":{"enum":["live"]},"ready":{"type":"boolean"},"reason":{"type":["string","null"]},
    "draining":{"type":"boolean"},"model":{"type":"string"},"version":{"type":"string"},
    "queue_tokens":{"type":"integer","minimum":0},"queue_limit_tokens":{"type":"integer","minimum":1},
    "uptime_seconds":{"type":"number","minimum":0}}},
"Document":{"type":"object","required":["openapi","info","paths"]},
"ErrorCode":{"type":"string","enum":@ERROR_CODES@},
"Error":{"type":"object","additionalProperties":false,
  "required":["error_code","error_message","status_code","correlation_id","timestamp","detail"],
  "properties":{"error_code":{"$ref":"#/components/schemas/ErrorCode"},"error_message":{"type":"string"},
    "status_code":{"type":"integer","minimum":400,"maximum":599},"correlation_id":{"type":"string","minLength":1,"maxLength":128},
    "timestamp":{"type":"string","format":"date-time"},"detail":{"type":"string"}}},
"HuggingFaceError":{"type":"object","additionalProperties":false,"required":["error","error_code"],
  "properties":{"error":{"type":"string"},"error_code":{"$ref":"#/components/schemas/ErrorCode"}}}
})";

std::string Quoted(std::string_view text) {
  std::string quoted;
  AppendJsonString(text, quoted);
  return quoted;
}

std::string StringArray(const std::vector<std::string>& strings, bool or_null) {
  JsonWriter json;
  json.BeginArray();
  for (const std::string& text : strings) json.String(text);
  if (or_null) json.Null();
  json.EndArray();
  return std::move(json).Take();
}

// {"NEGATIVE":{"$ref":".../Score"},...}
std::string ScoreProperties(const std::vector<std::string>& labels) {
  JsonWriter json;
  json.BeginObject();
  for (const std::string& label : labels) json.Key(label).Raw(R"({"$ref":"#/components/schemas/Score"})");
  json.EndObject();
  return std::move(json).Take();
}

std::string ErrorCodes() {
  std::set<std::string> codes;
  for (const WireErrorRow& row : WireErrors()) codes.insert(std::string(row.code));
  return StringArray({codes.begin(), codes.end()}, false);
}

// Replaces each @NAME@; a newline of the template and the indentation behind it go.
std::string Fill(std::string_view text, const std::vector<std::pair<std::string_view, std::string>>& values) {
  std::string filled;
  while (!text.empty()) {
    if (text[0] == '\n') {
      text.remove_prefix(std::min(text.find_first_not_of("\n "), text.size()));
      continue;
    }
    const size_t next = std::min(text.find_first_of("@\n"), text.size());
    filled += text.substr(0, next);
    text.remove_prefix(next);
    if (text.empty() || text[0] != '@') continue;
    const size_t end = text.find('@', 1);
    for (const auto& [name, value] : values) {
      if (name == text.substr(1, end - 1)) filled += value;
    }
    text.remove_prefix(end + 1);
  }
  return filled;
}

}  // namespace

void WriteStringArray(JsonWriter& json, const std::vector<std::string>& strings) {
  json.Raw(StringArray(strings, false));
}

void WriteSchemas(JsonWriter& json, const ModelDescription& model, const ServiceOptions& limits) {
  const std::string text_pattern = Cat(R"(^[^\u0000]*[^\u0000)", kBlankCharacterClass, R"(][^\u0000]*$)");
  const bool bounded = model.activation != Activation::kNone;
  json.Raw(
      Fill(kTemplate,
           {{"MAX_CHARS", Cat(limits.max_text_chars)},
            {"MAX_TEXTS", Cat(limits.max_batch_texts)},
            {"TEXT_PATTERN", Quoted(text_pattern)},
            {"LABEL_COUNT", Cat(model.labels.size())},
            {"LABELS", StringArray(model.labels, false)},
            {"LABELS_OR_NULL", StringArray(model.labels, true)},
            {"FIRST_LABEL", Quoted(model.labels.front())},
            {"LABELS_REQUIRED", model.multi_label() ? R"("labels",)" : ""},
            {"LABELS_PROPERTY",
             model.multi_label() ? R"("labels":{"type":"array","items":{"$ref":"#/components/schemas/Label"}},)" : ""},
            {"SCORE", bounded ? R"({"type":"number","minimum":0,"maximum":1})" : R"({"type":"number"})"},
            {"SCORES", ScoreProperties(model.labels)},
            {"MODEL", Quoted(model.name)},
            {"BACKEND", Quoted(model.backends.front())},
            {"BACKENDS", StringArray(model.answering, false)},
            {"BACKENDS_OR_NULL", StringArray(model.answering, true)},
            {"ERROR_CODES", ErrorCodes()}}));
}

}  // namespace ks
