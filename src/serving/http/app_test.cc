#include "serving/http/app.h"

#include <optional>
#include <string>
#include <utility>

#include "base/json.h"
#include "base/uuid.h"
#include "engine/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "serving/testing/world.h"

namespace ks {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kPredict[] = "/api/v1/predict";

HttpRequest Request(std::string method, std::string target, std::string body = "",
                    std::vector<HttpHeader> headers = {}) {
  return {std::move(method), std::move(target), std::move(headers), std::move(body)};
}
HttpRequest Post(std::string target, std::string body, std::vector<HttpHeader> headers = {}) {
  return Request("POST", std::move(target), std::move(body), std::move(headers));
}

std::string HeaderOf(const HttpResponse& response, std::string_view name) {
  std::string value;
  for (const HttpHeader& header : response.headers) {
    if (header.name == name) value = header.value;
  }
  return value;
}

// The answer, which must come before Handle returns.
HttpResponse Ask(App& app, HttpRequest request) {
  std::optional<HttpResponse> response;
  app.Handle(std::move(request), [&](const MakeHttpResponse& make) { response = make(); });
  EXPECT_TRUE(response.has_value());
  return response.value_or(HttpResponse{});
}

void ExpectError(const HttpResponse& response, int status, const std::string& code, const std::string& part) {
  EXPECT_EQ(response.status, status) << response.body;
  const auto document = JsonDocument::Parse(response.body, "answer");
  ASSERT_TRUE(document.ok()) << response.body;
  const JsonObject error = *document->root().AsObject();
  ASSERT_EQ(error.members().size(), 6u) << response.body;
  EXPECT_EQ(*error.RequireString("error_code"), code);
  EXPECT_THAT(std::string(*error.RequireString("error_message")), HasSubstr(part));
  EXPECT_EQ(*error.RequireInt("status_code", 0, 999), status);
  EXPECT_EQ(*error.RequireString("correlation_id"), HeaderOf(response, "X-Correlation-ID"));
  EXPECT_THAT(std::string(*error.RequireString("timestamp")), ::testing::MatchesRegex("....-..-..T..:..:......Z"));
}

TEST(App, AnswersAPredictionWithEveryField) {
  World world;
  const HttpResponse response = Ask(world.app, Post(kPredict, R"({"text":"I l\u00f6ve this"})"));
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_THAT(response.body,
              ::testing::MatchesRegex(
                  R"(\{"label":"POSITIVE","score":0\.7,"scores":\{"NEGATIVE":0\.1,"NEUTRAL":0\.2,"POSITIVE":0\.7\},)"
                  R"("prediction_id":"[0-9a-f-]+","inference_time_ms":1\.840,"model_name":"tiny","backend":"onnx",)"
                  R"("text_length":11,"tokens":11,"truncated":false\})"));
  EXPECT_EQ(HeaderOf(response, "X-Model-Backend"), "onnx");
  EXPECT_EQ(HeaderOf(response, "X-Inference-Time-MS"), "1.840");
  EXPECT_EQ(HeaderOf(response, "Server-Timing"), "tokenize;dur=0.015,queue;dur=0.250,infer;dur=1.840");
  EXPECT_FALSE(response.close);
  EXPECT_THAT(world.engine.last_texts(), ElementsAre("I l\xC3\xB6ve this"));
}

TEST(App, PassesTheOptionsOn) {
  World world;
  const auto response =
      Ask(world.app, Post("/predict?backend=onnx", R"({"text":"a","text_pair":"b","top_k":2})",
                          {{"X-Request-Timeout-Ms", "250"}, {"Content-Type", "Application/JSON; charset=utf-8"}}));
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_THAT(response.body, HasSubstr(R"("scores":{"NEUTRAL":0.2,"POSITIVE":0.7})"));
  EXPECT_THAT(world.engine.last_pairs(), ElementsAre("b"));
  EXPECT_EQ(world.engine.last_options().top_k, 2);
  EXPECT_EQ(world.engine.last_options().backend, "onnx");
  EXPECT_EQ(world.engine.last_options().deadline, world.clock.Now() + milliseconds(250));
  EXPECT_EQ(world.engine.last_deadline(), world.clock.Now() + milliseconds(250));
}

TEST(App, TakesTheBackendsThatARequestMayName) {
  ModelDescription model = TinyModel();
  model.backends = {"onnx", "pytorch", "other"};
  model.allowed = {"onnx", "pytorch"};
  model.answering = model.backends;
  model.routing = {.allowed = {"pytorch"}, .canary = "other", .canary_share = 0.05};
  World world({}, model);
  EXPECT_EQ(Ask(world.app, Post("/predict?backend=pytorch", R"({"text":"a"})")).status, 200);
  EXPECT_EQ(world.engine.last_options().backend, "pytorch");
  ExpectError(Ask(world.app, Post("/predict?backend=other", R"({"text":"a"})")), 400, "E2010",
              "backend: a request may name onnx, pytorch alone (allowed-backends)");
  EXPECT_EQ(Ask(world.app, Post("/predict", R"({"text":"a"})")).status, 200);
  EXPECT_EQ(world.engine.last_options().backend, "") << "the engine chooses between default and canary";
  const HttpResponse info = Ask(world.app, Request("GET", "/model-info"));
  EXPECT_THAT(info.body, HasSubstr(R"("backend":"onnx","allowed_backends":["onnx","pytorch"],)"
                                   R"("canary":{"backend":"other","share":0.05},"shadow":null,)"));
  const HttpResponse openapi = Ask(world.app, Request("GET", "/openapi.json"));
  EXPECT_THAT(openapi.body,
              HasSubstr(R"("name":"backend","in":"query","schema":{"type":"string","enum":["onnx","pytorch"]})"));
  EXPECT_THAT(openapi.body, HasSubstr(R"("backend":{"enum":["onnx","pytorch","other"]},"text_length")"))
      << "any that answers may stand in an answer";
}

TEST(App, GivesTheDefaultDeadlineWhereNoneIsSent) {
  World world;
  Ask(world.app, Post(kPredict, R"({"text":"a"})"));
  EXPECT_EQ(world.engine.last_options().deadline, world.clock.Now() + std::chrono::seconds(10));
}

TEST(App, AnswersABatchInOrder) {
  World world;
  const HttpResponse response = Ask(world.app, Post("/api/v1/predict/batch", R"({"texts":["a","bb","ccc"]})"));
  EXPECT_EQ(response.status, 200);
  const auto document = JsonDocument::Parse(response.body, "answer");
  ASSERT_TRUE(document.ok()) << response.body;
  const JsonObject batch = *document->root().AsObject();
  EXPECT_EQ(*batch.RequireInt("total", 0, 100), 3);
  const auto results = *batch.Require("results")->AsArray();
  ASSERT_EQ(results.size(), 3u);
  std::string first_id;
  for (size_t i = 0; i < results.size(); ++i) {
    const JsonObject one = *results[i].AsObject();
    EXPECT_EQ(*one.RequireInt("text_length", 0, 100), static_cast<int64_t>(i + 1));
    EXPECT_NEAR(*one.Require("inference_time_ms")->AsDouble(), 1.84 * static_cast<double>(i + 1), 1e-9)
        << "of its own run";
    const std::string id(*one.RequireString("prediction_id"));
    EXPECT_TRUE(IsUuid(id));
    EXPECT_NE(id, first_id);
    if (i == 0) first_id = id;
  }
}

TEST(App, ListsTheLabelsOverThresholdOfAMultiLabelModel) {
  ModelDescription model = TinyModel();
  model.activation = Activation::kSigmoid;
  World world({}, model);
  const HttpResponse response = Ask(world.app, Post(kPredict, R"({"text":"a","top_k":1})"));
  EXPECT_THAT(response.body, HasSubstr(R"("scores":{"POSITIVE":0.7},"labels":["NEUTRAL","POSITIVE"])"));
}

TEST(App, AnswersTheHuggingFaceShapeNestedAndHighestFirst) {
  World world;
  for (const char* path : {"/", "/models/x", "/models/org/x"}) {
    const HttpResponse response = Ask(world.app, Post(path, R"({"inputs":"a"})"));
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(
        response.body,
        R"([[{"label":"POSITIVE","score":0.7},{"label":"NEUTRAL","score":0.2},{"label":"NEGATIVE","score":0.1}]])");
    EXPECT_EQ(HeaderOf(response, "X-Model-Backend"), "onnx");
  }
  const HttpResponse two =
      Ask(world.app, Post("/", R"({"inputs":["a","b"],"parameters":{"top_k":1,"function_to_apply":"none"}})"));
  EXPECT_EQ(two.body, R"([[{"label":"POSITIVE","score":0.7}],[{"label":"POSITIVE","score":0.7}]])");
  EXPECT_EQ(world.engine.last_options().activation, Activation::kNone);
}

TEST(App, AnswersHuggingFaceErrorsInTheirShape) {
  World world;
  const HttpResponse blank = Ask(world.app, Post("/models/x", R"({"inputs":" "})"));
  EXPECT_EQ(blank.status, 422);
  EXPECT_EQ(blank.body, R"({"error":"inputs is blank: 1 characters of white space","error_code":"E1003"})");
  EXPECT_EQ(Ask(world.app, Post("/", "x")).status, 400);
  world.service.BeginDrain();
  world.engine.RefuseWith(MakeError(ErrorCode::kDraining, "the server is shutting down"));
  const HttpResponse draining = Ask(world.app, Post("/", R"({"inputs":"a"})"));
  EXPECT_EQ(draining.status, 503);
  EXPECT_TRUE(draining.close);
  EXPECT_EQ(draining.body, R"({"error":"the server is shutting down","error_code":"E4002"})");
}

TEST(App, RefusesBadBodiesWithTheirCode) {
  World world;
  const auto predict = [&](std::string body) { return Ask(world.app, Post(kPredict, std::move(body))); };
  ExpectError(predict(""), 400, "E1001", "body: empty");
  ExpectError(predict("{"), 400, "E1001", "JSON");
  ExpectError(predict("{\"text\":\"\xff\"}"), 400, "E1001", "UTF-8");
  ExpectError(predict(R"({"text":"\udc00"})"), 400, "E1001", "surrogate");
  ExpectError(predict(std::string(1'000'000, '[')), 400, "E1001", "body: not JSON");
  ExpectError(predict(std::string(100, '[') + std::string(100, ']')), 400, "E1001", "deeper than 64");
  ExpectError(predict("[]"), 422, "E1001", "expected an object");
  ExpectError(predict(R"({"text":1})"), 422, "E1001", "text: expected a string");
  ExpectError(predict(R"({"text":"a\u0000"})"), 422, "E1001", "NUL");
  ExpectError(predict(R"({"text":"a","text":"b"})"), 422, "E1001", "text: the key is given twice");
  ExpectError(predict(R"({"text":""})"), 422, "E1003", "empty");
  ExpectError(predict(R"({"text":")" + std::string(10001, 'x') + "\"}"), 422, "E1002",
              "10001 characters, the limit is 10000");
  ExpectError(predict(R"({"inputs":"a"})"), 422, "E1001", "inputs");
  const auto batch = [&](std::string body) { return Ask(world.app, Post("/predict/batch", std::move(body))); };
  ExpectError(batch(R"({"texts":[]})"), 422, "E1006", "texts");
  ExpectError(batch(R"({"texts":["a","b","c",4]})"), 422, "E1001", "texts[3]");
  std::string many = R"({"texts":["a")";
  for (int i = 0; i < 1000; ++i) many += R"(,"a")";
  ExpectError(batch(many + "]}"), 422, "E1005", "texts has 1001 texts, the limit is 1000");
  EXPECT_EQ(world.engine.submitted(), 0);
  EXPECT_EQ(world.Sample(R"(ml_rejected_total{model="tiny",reason="too_large"})"), 2);
}

TEST(App, RefusesBeforeTheBodyIsLookedAt) {
  World world;
  ExpectError(Ask(world.app, Post(kPredict, "x", {{"X-Request-Timeout-Ms", "soon"}})), 422, "E1001",
              "X-Request-Timeout-Ms");
  ExpectError(Ask(world.app, Post("/predict?backend=pytorch", "x")), 400, "E2010", "onnx alone");
  ExpectError(Ask(world.app, Post("/predict?backend=", "x")), 400, "E2010", "onnx alone");
  world.engine.RefuseWith(MakeQueueFull("the queue holds 10 tokens of 10 (max-queue-tokens)", std::chrono::seconds(3)));
  const HttpResponse full = Ask(world.app, Post(kPredict, "x"));
  ExpectError(full, 429, "E4005", "max-queue-tokens");
  EXPECT_EQ(HeaderOf(full, "Retry-After"), "3");
  world.engine.RefuseWith(MakeError(ErrorCode::kDeadlinePassed, "the deadline has passed"));
  ExpectError(Ask(world.app, Post(kPredict, "x", {{"X-Request-Timeout-Ms", "0"}})), 504, "E2003", "deadline");
  EXPECT_EQ(world.engine.last_deadline(), world.clock.Now());
}

TEST(App, PassesOnWhatTheEngineSays) {
  World world;
  const auto predict = [&] { return Ask(world.app, Post(kPredict, R"({"text":"a"})")); };
  world.engine.FailWith(MakeError(ErrorCode::kBatchTooBig, "70000 tokens, the limit is 65536 (max-batch-tokens)"));
  ExpectError(predict(), 422, "E1005", "max-batch-tokens");
  world.engine.FailWith(MakeError(ErrorCode::kDraining, "draining"));
  ExpectError(predict(), 503, "E4002", "draining");
  world.engine.FailWith(MakeError(ErrorCode::kInferenceFailed, "runtime: bad allocation"));
  const HttpResponse failed = predict();
  ExpectError(failed, 500, "E2002", "inference failed");
  EXPECT_THAT(failed.body, Not(HasSubstr("bad allocation")));
  EXPECT_THAT(world.log_lines(), ::testing::Contains(HasSubstr("bad allocation")));
  world.engine.FailWith(absl::InternalError("oops"));
  ExpectError(predict(), 500, "E4001", "internal error");
}

TEST(App, RefusesUnknownPathsAndMethods) {
  World world;
  ExpectError(Ask(world.app, Request("GET", "/nothing")), 404, "E4004", "openapi.json");
  const HttpResponse get = Ask(world.app, Request("GET", kPredict));
  ExpectError(get, 405, "E4006", "POST");
  EXPECT_EQ(HeaderOf(get, "Allow"), "POST");
  EXPECT_EQ(HeaderOf(Ask(world.app, Post("/metrics", "")), "Allow"), "GET, HEAD");
  EXPECT_EQ(Ask(world.app, Request("OPTIONS", kPredict)).status, 405);
}

TEST(App, TakesJsonAlone) {
  World world;
  const auto with = [&](std::string name, std::string value) {
    return Ask(world.app, Post(kPredict, R"({"text":"a"})", {{std::move(name), std::move(value)}}));
  };
  ExpectError(with("Content-Type", "text/plain"), 415, "E4011", "found text/plain");
  ExpectError(with("Content-Type", ""), 415, "E4011", "Content-Type");
  ExpectError(with("Content-Type", "application/jsonx"), 415, "E4011", "Content-Type");
  ExpectError(with("Content-Encoding", "gzip"), 415, "E4011", "Content-Encoding: expected none, found gzip");
  ExpectError(with("Content-Encoding", "identity"), 415, "E4011", "Content-Encoding");
  EXPECT_EQ(with("Content-Type", "application/json").status, 200);
  EXPECT_EQ(with("Accept", "*/*").status, 200) << "no Content-Type is JSON";
}

TEST(App, AsksForTheKeyWhereThereIsOne) {
  World world({.api_key = "s3cret"});
  const HttpResponse refused = Ask(world.app, Post(kPredict, R"({"text":"a"})", {{"X-API-Key", "guess"}}));
  ExpectError(refused, 401, "E3002", "key");
  EXPECT_EQ(HeaderOf(refused, "WWW-Authenticate"), "Bearer");
  EXPECT_EQ(Ask(world.app, Post(kPredict, R"({"text":"a"})", {{"X-API-Key", "s3cret"}})).status, 200);
  EXPECT_EQ(Ask(world.app, Post("/", R"({"inputs":"a"})")).body.substr(0, 9), R"({"error":)");
  EXPECT_EQ(Ask(world.app, Post("/", R"({"inputs":"a"})", {{"Authorization", "Bearer s3cret"}})).status, 200);
  for (const char* path : {"/api/v1/model-info", "/openapi.json"}) {
    EXPECT_EQ(Ask(world.app, Request("GET", path)).status, 401) << path;
  }
  for (const char* path : {"/health", "/health/live", "/health/ready", "/ready", "/api/v1/health/ready", "/metrics"}) {
    EXPECT_EQ(Ask(world.app, Request("GET", path)).status, 200) << path;
  }
  for (const std::string& line : world.log_lines()) {
    EXPECT_THAT(line, Not(HasSubstr("s3cret")));
    EXPECT_THAT(line, Not(HasSubstr("guess")));
  }
}

TEST(App, ProtectsMetricsOnRequest) {
  World world({.api_key = "s3cret", .protect_metrics = true});
  EXPECT_EQ(Ask(world.app, Request("GET", "/metrics")).status, 401);
  EXPECT_EQ(Ask(world.app, Request("GET", "/metrics", "", {{"X-API-Key", "s3cret"}})).status, 200);
}

TEST(App, EchoesOrMakesCorrelationIds) {
  World world;
  const auto sent = Ask(world.app, Post(kPredict, R"({"text":""})", {{"X-Correlation-ID", "mine"}}));
  EXPECT_EQ(HeaderOf(sent, "X-Correlation-ID"), "mine");
  EXPECT_THAT(sent.body, HasSubstr(R"("correlation_id":"mine")"));
  EXPECT_TRUE(IsUuid(HeaderOf(Ask(world.app, Request("GET", "/health")), "X-Correlation-ID")));
}

TEST(App, TellsItsHealth) {
  World world;
  EXPECT_EQ(Ask(world.app, Request("GET", "/health/ready")).body, R"({"status":"ready"})");
  EXPECT_EQ(Ask(world.app, Request("GET", "/health/live")).body, R"({"status":"live"})");
  world.clock.Advance(milliseconds(1500));
  EXPECT_EQ(Ask(world.app, Request("GET", "/health")).body,
            R"({"status":"live","ready":true,"reason":null,"draining":false,"model":"tiny","version":"0.1.0",)"
            R"("queue_tokens":0,"queue_limit_tokens":131072,"uptime_seconds":1.500})");
  world.service.BeginDrain();
  ExpectError(Ask(world.app, Request("GET", "/ready")), 503, "E4002", "draining");
  EXPECT_EQ(Ask(world.app, Request("GET", "/health/live")).status, 200);
  EXPECT_TRUE(Ask(world.app, Request("GET", "/health/live")).close);
  EXPECT_THAT(Ask(world.app, Request("GET", "/health")).body,
              HasSubstr(R"("ready":false,"reason":"the server is draining")"));
  world.engine.SetState({.stalled = true});
  for (const char* path : {"/health", "/health/live"}) {
    ExpectError(Ask(world.app, Request("GET", path)), 503, "E2001", "stall-timeout");
  }
  EXPECT_THAT(Ask(world.app, Request("GET", "/metrics")).body, HasSubstr("ml_worker_stalled{model=\"tiny\"} 1"));
  world.engine.SetState({.stalled = false});
  EXPECT_THAT(Ask(world.app, Request("GET", "/metrics")).body, HasSubstr("ml_worker_stalled{model=\"tiny\"} 0"));
}

TEST(App, DescribesTheModel) {
  ModelDescription model = TinyModel();
  model.validation_json = R"({"accuracy":0.9})";
  model.temperature = 1.25f;
  model.int8 = {.calibrated = true, .fp32_layers = {"layer.1.ffn.out"}};
  model.gate = "passed";
  World world({}, model);
  const std::string body = Ask(world.app, Request("GET", "/model-info")).body;
  EXPECT_TRUE(JsonDocument::Parse(body, "answer").ok()) << body;
  for (const char* part :
       {R"("name":"tiny")", R"("backend":"onnx")", R"("precision":"fp32")",
        R"("labels":["NEGATIVE","NEUTRAL","POSITIVE"])", R"("activation":"softmax","temperature":1.25,)",
        R"("int8":{"calibrated":true,"fp32_layers":["layer.1.ffn.out"]},"gate":"passed",)", R"("window":256)",
        R"({"name":"fp32.onnx","size_bytes":12,"sha256":"aaaa)", R"("validation":{"accuracy":0.9})",
        R"("cpu":{"model":)", R"("max_text_chars":10000)", R"("warnings":[])"}) {
    EXPECT_THAT(body, HasSubstr(part));
  }
}

TEST(App, DescribesAModelOfOnePrecision) {
  World world;
  EXPECT_THAT(Ask(world.app, Request("GET", "/model-info")).body,
              HasSubstr(R"("temperature":1,"int8":null,"gate":null,"window":256)"));
}

TEST(App, ShowsWarningsOfTheService) {
  World world;
  world.service.AddWarning("one");
  world.service.AddWarning("two");
  EXPECT_THAT(Ask(world.app, Request("GET", "/model-info")).body, HasSubstr(R"("warnings":["one","two"])"));
}

TEST(App, TakesFeedbackForAPredictionOfItsOwn) {
  World world;
  const std::string answer = Ask(world.app, Post(kPredict, R"({"text":"a"})")).body;
  const auto document = JsonDocument::Parse(answer, "answer");
  const std::string id(*document->root().AsObject()->RequireString("prediction_id"));
  const std::string body = R"({"prediction_id":")" + id + R"(","corrected_label":"NEUTRAL"})";
  const HttpResponse first = Ask(world.app, Post("/api/v1/feedback", body));
  EXPECT_EQ(first.status, 201);
  EXPECT_EQ(first.body, R"({"prediction_id":")" + id + R"(","agreed":false,"counted":true})");
  EXPECT_EQ(Ask(world.app, Post("/feedback", body)).status, 200);
  ExpectError(
      Ask(world.app, Post("/feedback", R"({"prediction_id":")" + NewUuid4() + R"(","corrected_label":"NEUTRAL"})")),
      404, "E1007", "prediction_id");
  ExpectError(Ask(world.app, Post("/feedback", "[")), 400, "E1001", "body");
  ExpectError(Ask(world.app, Post("/feedback", "{}")), 422, "E1001", "prediction_id: missing");
}

TEST(App, CountsRequestsByTemplateAndStatus) {
  World world;
  const auto count = [&](const char* method, const char* route, const char* status) {
    return world.Sample(std::string(R"(http_requests_total{method=")") + method + R"(",route=")" + route +
                        R"(",status=")" + status + "\"}");
  };
  EXPECT_EQ(count("POST", "/api/v1/predict", "200"), 0);
  EXPECT_EQ(count("POST", "/models/{org}/{id}", "503"), 0);
  Ask(world.app, Post("/predict", R"({"text":"a"})"));
  Ask(world.app, Post("/predict", R"({"text":" "})"));
  Ask(world.app, Post("/models/some/name", R"({"inputs":"a"})"));
  Ask(world.app, Request("BREW", "/a/secret/path"));
  EXPECT_EQ(count("POST", "/api/v1/predict", "200"), 1);
  EXPECT_EQ(count("POST", "/api/v1/predict", "422"), 1);
  EXPECT_EQ(count("POST", "/models/{org}/{id}", "200"), 1);
  EXPECT_EQ(count("other", "unmatched", "404"), 1);
  EXPECT_EQ(world.Sample("http_requests_in_flight"), 0);
  const HttpResponse scrape = Ask(world.app, Request("GET", "/metrics"));
  EXPECT_EQ(scrape.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(scrape.body, Not(HasSubstr("secret")));
  EXPECT_THAT(scrape.body, HasSubstr("http_requests_in_flight 1"));
}

TEST(App, LogsOneLineARequestWithoutItsText) {
  World world;
  Ask(world.app, Post("/predict?x=hidden", R"({"text":"private"})",
                      {{"X-Correlation-ID", "mine"},
                       {"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
                       {"Authorization", "Bearer hidden"}}));
  ASSERT_THAT(world.log_lines(), ::testing::SizeIs(1));
  const std::string line = world.log_lines()[0];
  EXPECT_TRUE(JsonDocument::Parse(line, "line").ok()) << line;
  EXPECT_THAT(line,
              HasSubstr(R"("message":"request","request_id":"mine","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736",)"
                        R"("route":"/api/v1/predict","method":"POST","status":200,"duration_ms":0,"bytes_in":18,)"));
  EXPECT_THAT(line, HasSubstr(R"("texts":1,"tokens":7)"));
  EXPECT_THAT(line, Not(HasSubstr("private")));
  EXPECT_THAT(line, Not(HasSubstr("hidden")));
}

TEST(App, LogsNoRequestsWhereTheAccessLogIsOff) {
  World world({.access_log = false});
  Ask(world.app, Request("GET", "/health"));
  EXPECT_THAT(world.log_lines(), ::testing::IsEmpty());
}

TEST(App, AnswersLaterWhereTheEngineDoes) {
  World world;
  world.engine.Hold();
  std::optional<HttpResponse> response;
  world.app.Handle(Post(kPredict, R"({"text":"a"})"), [&](const MakeHttpResponse& make) { response = make(); });
  EXPECT_FALSE(response.has_value());
  EXPECT_EQ(world.Sample("http_requests_in_flight"), 1);
  world.engine.Release();
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(world.Sample("http_requests_in_flight"), 0);
}

TEST(App, ChecksTheHeadWithoutCounting) {
  World world({.api_key = "s3cret"});
  const HttpHeader key = {"X-API-Key", "s3cret"};
  EXPECT_EQ(world.app.CheckHead(Post(kPredict, "", {key})), std::nullopt);
  const auto error = [&](const HttpRequest& request) { return world.app.CheckHead(request)->error; };
  EXPECT_EQ(error(Post(kPredict, "")), WireError::kUnauthorised);
  EXPECT_EQ(error(Post(kPredict, "", {key, {"Content-Type", "text/csv"}})), WireError::kUnsupportedMediaType);
  EXPECT_EQ(error(Post("/x", "")), WireError::kNotFound);
  EXPECT_EQ(error(Request("PUT", kPredict)), WireError::kMethodNotAllowed);
  EXPECT_THAT(world.log_lines(), ::testing::IsEmpty());
}

TEST(App, RefusesWhatCouldNotBeReadAndCloses) {
  World world;
  const HttpResponse large = world.app.Refuse(Post(kPredict, ""), {WireError::kBodyTooLarge, "too large", {}, ""});
  ExpectError(large, 413, "E4010", "too large");
  EXPECT_TRUE(large.close);
  EXPECT_EQ(world.Sample(R"(ml_rejected_total{model="tiny",reason="too_large"})"), 1);
  ExpectError(world.app.Refuse({}, {WireError::kHeaderTooLarge, "header", {}, ""}), 431, "E4012", "header");
  EXPECT_EQ(world.Sample(R"(http_requests_total{method="POST",route="/api/v1/predict",status="413"})"), 1);
  EXPECT_EQ(world.Sample(R"(http_requests_total{method="other",route="unmatched",status="431"})"), 1);
}

}  // namespace
}  // namespace ks
