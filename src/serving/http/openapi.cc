// The document: operations here, schemas in openapi_schemas.cc. Tested by openapi_test.cc and, call by call, by the
// integration tests.
#include "serving/http/openapi.h"

#include <array>
#include <string_view>
#include <vector>

#include "base/json_writer.h"
#include "base/strings.h"
#include "base/version.h"
#include "serving/error_map.h"
#include "serving/http/openapi_schemas.h"

namespace ks {
namespace {

constexpr std::string_view kDescription =
    "Classifies texts. Headers taken by every operation: X-Correlation-ID (1 to 128 printable ASCII characters; "
    "echoed, "
    "otherwise a new UUID), traceparent (W3C), and X-Request-Timeout-Ms by those that classify (whole milliseconds; "
    "the "
    "answer is 504 when they pass).";

struct Success {
  int status;
  std::string_view description;
  std::string_view schema;  // of components/schemas; empty: text/plain
  bool with_timings = false;
  bool links_to_feedback = false;
};

struct OperationDoc {
  std::string_view path;
  std::string_view method;
  std::string_view id;
  std::string_view summary;
  std::string_view description;
  std::string_view request_schema;  // empty: no body
  std::vector<Success> successes;
  std::string_view error_schema = "Error";
  bool with_backend = false;  // takes ?backend=
  bool is_probe = false;
  std::vector<std::string_view> path_parameters = {};
};

std::vector<OperationDoc> Operations() {
  return {
      {.path = "/api/v1/predict",
       .method = "post",
       .id = "predict",
       .summary = "Classifies one text or pair.",
       .description = "Also at /predict.",
       .request_schema = "PredictRequest",
       .successes = {{200, "The label, and the score of each.", "Prediction", true, true}},
       .with_backend = true},
      {.path = "/api/v1/predict/batch",
       .method = "post",
       .id = "predictBatch",
       .summary = "Classifies many texts, all or none.",
       .description =
           "Also at /predict/batch. Beside texts it takes text_pairs: an array of as many strings or nulls. All "
           "texts together may have max-batch-tokens tokens.",
       .request_schema = "BatchRequest",
       .successes = {{200, "One prediction a text, in order.", "BatchResult", true}},
       .with_backend = true},
      {.path = "/api/v1/model-info",
       .method = "get",
       .id = "modelInfo",
       .summary = "What is served, and how.",
       .description = "Also at /model-info.",
       .request_schema = "",
       .successes = {{200, "The model.", "ModelInfo"}}},
      {.path = "/api/v1/feedback",
       .method = "post",
       .id = "feedback",
       .summary = "Says which label was right.",
       .description =
           "Also at /feedback. With predicted_label, model and backend any replica counts it; without them only "
           "the one that made the prediction, while it remembers it.",
       .request_schema = "FeedbackRequest",
       .successes = {{201, "Counted.", "FeedbackResult"}, {200, "Counted before.", "FeedbackResult"}}},
      {.path = "/health/live",
       .method = "get",
       .id = "live",
       .summary = "The process answers and no worker is stuck.",
       .description = "Also at /api/v1/health/live.",
       .request_schema = "",
       .successes = {{200, "Live.", "Status"}},
       .is_probe = true},
      {.path = "/health/ready",
       .method = "get",
       .id = "ready",
       .summary = "A warm model answers and nothing drains.",
       .description = "Also at /ready, /api/v1/health/ready and /api/v1/ready.",
       .request_schema = "",
       .successes = {{200, "Ready.", "Status"}},
       .is_probe = true},
      {.path = "/health",
       .method = "get",
       .id = "health",
       .summary = "Liveness with detail.",
       .description = "Also at /api/v1/health.",
       .request_schema = "",
       .successes = {{200, "Live.", "Health"}},
       .is_probe = true},
      {.path = "/metrics",
       .method = "get",
       .id = "metrics",
       .summary = "Prometheus' text format, version 0.0.4.",
       .description = "",
       .request_schema = "",
       .successes = {{200, "The series.", ""}}},
      {.path = "/openapi.json",
       .method = "get",
       .id = "openapi",
       .summary = "This document.",
       .description = "",
       .request_schema = "",
       .successes = {{200, "The document.", "Document"}}},
      {.path = "/",
       .method = "post",
       .id = "huggingFace",
       .summary = "Hugging Face Inference API.",
       .description = "One list of labels an input, highest first.",
       .request_schema = "HuggingFaceRequest",
       .successes = {{200, "A list an input.", "HuggingFaceResult", true}},
       .error_schema = "HuggingFaceError"},
      {.path = "/models/{id}",
       .method = "post",
       .id = "huggingFaceModel",
       .summary = "The same; the name is not looked at.",
       .description = "",
       .request_schema = "HuggingFaceRequest",
       .successes = {{200, "A list an input.", "HuggingFaceResult", true}},
       .error_schema = "HuggingFaceError",
       .path_parameters = {"id"}},
      {.path = "/models/{org}/{id}",
       .method = "post",
       .id = "huggingFaceOrgModel",
       .summary = "The same; the name is not looked at.",
       .description = "",
       .request_schema = "HuggingFaceRequest",
       .successes = {{200, "A list an input.", "HuggingFaceResult", true}},
       .error_schema = "HuggingFaceError",
       .path_parameters = {"org", "id"}},
  };
}

void WriteRef(JsonWriter& json, std::string_view kind, std::string_view name) {
  json.BeginObject().Key("$ref").String(Cat("#/components/", kind, "/", name)).EndObject();
}

void WriteContent(JsonWriter& json, std::string_view media_type, std::string_view schema) {
  json.Key("content").BeginObject().Key(media_type).BeginObject().Key("schema");
  schema.empty() ? json.Raw(R"({"type":"string"})") : (WriteRef(json, "schemas", schema), json);
  json.EndObject().EndObject();
}

// A prediction's id and label, sent back as feedback: how a tool finds an id that is known.
constexpr std::string_view kFeedbackLink =
    R"({"agree":{"operationId":"feedback","description":"The prediction was right.","requestBody":)"
    R"({"prediction_id":"$response.body#/prediction_id","corrected_label":"$response.body#/label"}}})";

void WriteSuccess(JsonWriter& json, const Success& success) {
  json.Key(Cat(success.status)).BeginObject();
  json.Key("description").String(success.description);
  json.Key("headers").BeginObject();
  json.Key("X-Correlation-ID");
  WriteRef(json, "headers", "CorrelationId");
  if (success.with_timings) {
    for (const std::string_view name : {"X-Model-Backend", "X-Inference-Time-MS", "Server-Timing"}) {
      json.Key(name);
      WriteRef(json, "headers", name);
    }
  }
  json.EndObject();
  WriteContent(json, success.schema.empty() ? "text/plain" : "application/json", success.schema);
  if (success.links_to_feedback) json.Key("links").Raw(kFeedbackLink);
  json.EndObject();
}

// The statuses that the operation may answer with beside its own.
std::vector<int> ErrorStatuses(const OperationDoc& operation, bool keyed) {
  std::vector<int> statuses = {400, 405, 408, 413, 431, 500};
  if (keyed) statuses.push_back(401);
  if (operation.is_probe) statuses.push_back(503);
  if (operation.request_schema.empty()) return statuses;
  statuses.insert(statuses.end(), {415, 422});
  if (operation.id == "feedback") {
    statuses.push_back(404);
  } else {
    statuses.insert(statuses.end(), {429, 503, 504});
  }
  return statuses;
}

void WriteErrors(JsonWriter& json, const OperationDoc& operation, bool keyed) {
  for (const int status : ErrorStatuses(operation, keyed)) {
    std::string description;
    for (const WireErrorRow& row : WireErrors()) {
      if (row.http_status != status) continue;
      description += Cat(description.empty() ? "" : "; ", row.code, " ", row.meaning);
    }
    json.Key(Cat(status)).BeginObject().Key("description").String(description);
    if (status == 429) json.Key("headers").Raw(R"({"Retry-After":{"schema":{"type":"integer","minimum":1}}})");
    if (status == 405) json.Key("headers").Raw(R"({"Allow":{"schema":{"type":"string"}}})");
    // A head that is too large is refused before its path is known.
    WriteContent(json, "application/json", status == 431 ? "Error" : operation.error_schema);
    json.EndObject();
  }
}

void WriteParameters(JsonWriter& json, const OperationDoc& operation, const ModelDescription& model) {
  if (!operation.with_backend && operation.path_parameters.empty()) return;
  json.Key("parameters").BeginArray();
  for (const std::string_view name : operation.path_parameters) {
    json.BeginObject().Key("name").String(name).Key("in").String("path").Key("required").Bool(true);
    json.Key("schema").Raw(R"({"type":"string","minLength":1})").Key("example").String("sentiment").EndObject();
  }
  if (operation.with_backend) {
    json.BeginObject().Key("name").String("backend").Key("in").String("query").Key("schema");
    json.BeginObject().Key("type").String("string").Key("enum");
    WriteStringArray(json, model.allowed);
    json.EndObject().EndObject();
  }
  json.EndArray();
}

void WriteOperation(JsonWriter& json, const OperationDoc& operation, const ModelDescription& model,
                    const OpenApiOptions& options) {
  const bool keyed = options.with_key && !operation.is_probe && (operation.id != "metrics" || options.protect_metrics);
  json.Key(operation.path).BeginObject().Key(operation.method).BeginObject();
  json.Key("operationId").String(operation.id);
  json.Key("summary").String(operation.summary);
  if (!operation.description.empty()) json.Key("description").String(operation.description);
  WriteParameters(json, operation, model);
  if (!operation.request_schema.empty()) {
    json.Key("requestBody").BeginObject().Key("required").Bool(true);
    WriteContent(json, "application/json", operation.request_schema);
    json.EndObject();
  }
  if (keyed) json.Key("security").Raw(R"([{"key":[]},{"bearer":[]}])");
  json.Key("responses").BeginObject();
  for (const Success& success : operation.successes) WriteSuccess(json, success);
  WriteErrors(json, operation, keyed);
  json.EndObject().EndObject().EndObject();
}

}  // namespace

std::string OpenApiJson(const ModelDescription& model, const ServiceOptions& limits, const OpenApiOptions& options) {
  JsonWriter json;
  json.BeginObject();
  json.Key("openapi").String("3.1.0");
  json.Key("info").BeginObject();
  json.Key("title").String("KubeSentiment").Key("version").String(Version());
  json.Key("description").String(Cat(kDescription, " A body has at most ", options.max_body_bytes, " bytes."));
  json.EndObject();
  json.Key("paths").BeginObject();
  for (const OperationDoc& operation : Operations()) WriteOperation(json, operation, model, options);
  json.EndObject();
  json.Key("components").BeginObject();
  json.Key("schemas");
  WriteSchemas(json, model, limits);
  json.Key("headers").Raw(R"({"CorrelationId":{"schema":{"type":"string","minLength":1,"maxLength":128}},)"
                          R"("X-Model-Backend":{"schema":{"type":"string"}},)"
                          R"("X-Inference-Time-MS":{"schema":{"type":"number","minimum":0}},)"
                          R"("Server-Timing":{"schema":{"type":"string"}}})");
  if (options.with_key) {
    json.Key("securitySchemes")
        .Raw(R"({"key":{"type":"apiKey","in":"header","name":"X-API-Key"},)"
             R"("bearer":{"type":"http","scheme":"bearer"}})");
  }
  json.EndObject().EndObject();
  return std::move(json).Take();
}

}  // namespace ks
