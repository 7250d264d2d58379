// Tested by app_test.cc.
#include "serving/http/answer_json.h"

#include <algorithm>
#include <charconv>

#include "base/cpu.h"
#include "base/json_writer.h"
#include "base/strings.h"
#include "base/utc_time.h"
#include "base/version.h"

namespace ks {
namespace {

HttpResponse ErrorResponse(const Problem& problem, std::string body) {
  HttpResponse response{.status = RowOf(problem.error).http_status, .body = std::move(body)};
  if (problem.retry_after.has_value()) response.headers.push_back({"Retry-After", Cat(problem.retry_after->count())});
  if (problem.error == WireError::kUnauthorised) response.headers.push_back({"WWW-Authenticate", "Bearer"});
  return response;
}

std::string FixedMilliseconds(Duration duration) {
  char text[64];
  const auto end = std::to_chars(text, text + sizeof(text), Milliseconds(duration), std::chars_format::fixed, 3);
  return std::string(text, end.ptr);
}

// In the order of the model's labels, whatever order the scores have.
void WriteScores(const ModelDescription& model, const Classification& result, JsonWriter& json) {
  std::vector<LabelScore> by_label = result.scores;
  std::sort(by_label.begin(), by_label.end(), [](const auto& a, const auto& b) { return a.label < b.label; });
  json.BeginObject();
  for (const LabelScore& score : by_label) json.Key(model.labels[static_cast<size_t>(score.label)]).Float(score.score);
  json.EndObject();
}

// The labels over a threshold of one half, which a sigmoid passes where its logit is positive.
void WriteLabelsOverThreshold(const ModelDescription& model, const Classification& result, JsonWriter& json) {
  json.BeginArray();
  for (size_t label = 0; label < result.logits.size(); ++label) {
    if (result.logits[label] > 0) json.String(model.labels[label]);
  }
  json.EndArray();
}

void WriteStrings(const std::vector<std::string>& strings, JsonWriter& json) {
  json.BeginArray();
  for (const std::string& text : strings) json.String(text);
  json.EndArray();
}

void WriteInt8(const ModelDescription& model, JsonWriter& json) {
  if (!model.int8) {
    json.Null();
    return;
  }
  json.BeginObject().Key("calibrated").Bool(model.int8->calibrated).Key("fp32_layers");
  WriteStrings(model.int8->fp32_layers, json);
  json.EndObject();
}

// A backend beside the default, with its share of the requests; null where there is none.
void WriteSecond(const std::string& backend, double share, JsonWriter& json) {
  if (backend.empty()) {
    json.Null();
    return;
  }
  json.BeginObject();
  json.Key("backend").String(backend);
  json.Key("share").Float(static_cast<float>(share));
  json.EndObject();
}

}  // namespace

HttpResponse RestError(const Problem& problem, std::string_view correlation_id,
                       std::chrono::system_clock::time_point now) {
  const WireErrorRow& row = RowOf(problem.error);
  JsonWriter json;
  json.BeginObject();
  json.Key("error_code").String(row.code);
  json.Key("error_message").String(problem.message);
  json.Key("status_code").Int(row.http_status);
  json.Key("correlation_id").String(correlation_id);
  json.Key("timestamp").String(FormatUtc(now));
  json.Key("detail").String(row.meaning);
  json.EndObject();
  return ErrorResponse(problem, std::move(json).Take());
}

HttpResponse HuggingFaceError(const Problem& problem) {
  JsonWriter json;
  json.BeginObject();
  json.Key("error").String(problem.message);
  json.Key("error_code").String(RowOf(problem.error).code);
  json.EndObject();
  return ErrorResponse(problem, std::move(json).Take());
}

std::string PredictionJson(const ModelDescription& model, const Classification& result, std::string_view backend,
                           std::string_view prediction_id, size_t text_length) {
  const LabelScore& best = result.scores.front();
  JsonWriter json;
  json.BeginObject();
  json.Key("label").String(model.labels[static_cast<size_t>(best.label)]);
  json.Key("score").Float(best.score);
  json.Key("scores");
  WriteScores(model, result, json);
  if (model.multi_label()) {
    json.Key("labels");
    WriteLabelsOverThreshold(model, result, json);
  }
  json.Key("prediction_id").String(prediction_id);
  json.Key("inference_time_ms").Fixed(Milliseconds(result.infer), 3);
  json.Key("model_name").String(model.name);
  json.Key("backend").String(backend);
  json.Key("text_length").Int(static_cast<int64_t>(text_length));
  json.Key("tokens").Int(result.tokens);
  json.Key("truncated").Bool(result.truncated);
  json.EndObject();
  return std::move(json).Take();
}

std::string HuggingFaceJson(const ModelDescription& model, const ClassifyResult& result) {
  JsonWriter json;
  json.BeginArray();
  for (const Classification& one : result.results) {
    json.BeginArray();
    for (const LabelScore& score : one.scores) {
      json.BeginObject();
      json.Key("label").String(model.labels[static_cast<size_t>(score.label)]);
      json.Key("score").Float(score.score);
      json.EndObject();
    }
    json.EndArray();
  }
  json.EndArray();
  return std::move(json).Take();
}

void AddTimings(const ClassifyResult& result, HttpResponse& response) {
  response.headers.push_back({"X-Model-Backend", result.backend});
  response.headers.push_back({"X-Inference-Time-MS", FixedMilliseconds(result.times.infer)});
  response.headers.push_back({"Server-Timing", Cat("tokenize;dur=", FixedMilliseconds(result.times.tokenize),
                                                   ",queue;dur=", FixedMilliseconds(result.times.queue),
                                                   ",infer;dur=", FixedMilliseconds(result.times.infer))});
}

std::string ModelInfoJson(const Service& service) {
  const ModelDescription& model = service.model();
  const EngineOptions& engine = service.engine_options();
  JsonWriter json;
  json.BeginObject();
  json.Key("name").String(model.name);
  json.Key("version").String(Version());
  json.Key("backend").String(model.backends.front());
  json.Key("allowed_backends");
  WriteStrings(model.allowed, json);
  json.Key("canary");
  WriteSecond(model.routing.canary, model.routing.canary_share, json);
  json.Key("shadow");
  WriteSecond(model.routing.shadow, model.routing.shadow_share, json);
  json.Key("precision").String(model.precision);
  json.Key("precision_reason").String(model.precision_reason);
  json.Key("labels");
  WriteStrings(model.labels, json);
  json.Key("activation").String(ActivationName(model.activation));
  json.Key("temperature").Float(model.temperature);
  json.Key("int8");
  WriteInt8(model, json);
  json.Key("gate");
  model.gate ? json.String(*model.gate) : json.Null();
  json.Key("window").Int(model.window);
  json.Key("source_sha256").String(model.source_sha256);
  json.Key("files").BeginArray();
  for (const PackageFile& file : model.files) {
    json.BeginObject();
    json.Key("name").String(file.name);
    json.Key("size_bytes").Int(file.size_bytes);
    json.Key("sha256").String(file.sha256);
    json.EndObject();
  }
  json.EndArray();
  json.Key("validation").Raw(model.validation_json.empty() ? "null" : model.validation_json);
  json.Key("cpu").BeginObject();
  json.Key("model").String(CpuModelName());
  json.Key("features").BeginArray();
  for (const std::string_view feature : FeatureNames(DetectCpuFeatures())) json.String(feature);
  json.EndArray().EndObject();
  json.Key("limits").BeginObject();
  json.Key("max_text_chars").Int(service.options().max_text_chars);
  json.Key("max_batch_texts").Int(service.options().max_batch_texts);
  json.Key("max_batch_tokens").Int(engine.max_batch_tokens);
  json.Key("max_queue_tokens").Int(engine.max_queue_tokens);
  json.EndObject();
  json.Key("tokens_per_second").Fixed(service.engine_state().tokens_per_second, 1);
  json.Key("warnings");
  WriteStrings(service.warnings(), json);
  json.EndObject();
  return std::move(json).Take();
}

std::string HealthJson(const Service& service) {
  const EngineState state = service.engine_state();
  const absl::Status ready = service.Ready();
  JsonWriter json;
  json.BeginObject();
  json.Key("status").String("live");
  json.Key("ready").Bool(ready.ok());
  json.Key("reason");
  ready.ok() ? json.Null() : json.String(ToStd(ready.message()));
  json.Key("draining").Bool(service.draining() || state.draining);
  json.Key("model").String(service.model().name);
  json.Key("version").String(Version());
  json.Key("queue_tokens").Int(state.queue_tokens);
  json.Key("queue_limit_tokens").Int(service.engine_options().max_queue_tokens);
  json.Key("uptime_seconds").Fixed(Seconds(service.Uptime()), 3);
  json.EndObject();
  return std::move(json).Take();
}

}  // namespace ks
