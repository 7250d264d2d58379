// One request: checks, parse, the service, serialise; counted and logged in one place, Answer. Tested by app_test.cc.
#include "serving/http/app.h"

#include <utility>

#include "base/hex.h"
#include "base/strings.h"
#include "serving/http/answer_json.h"
#include "serving/http/app_call.h"
#include "serving/http/openapi.h"

namespace ks {
namespace {

bool TakesBody(Operation operation) {
  return operation == Operation::kPredict || operation == Operation::kPredictBatch ||
         operation == Operation::kHuggingFace || operation == Operation::kFeedback;
}

// "application/json", with or without parameters.
bool IsJson(std::string_view content_type) {
  return EqualsIgnoringCase(TrimBlanks(content_type.substr(0, content_type.find(';'))), "application/json");
}

// At most 64 characters of a header, printable ones, for a message.
std::string Shown(std::string_view value) {
  std::string shown(value.substr(0, 64));
  for (char& c : shown) {
    if (c < 0x20 || c > 0x7E) c = '?';
  }
  return shown;
}

std::optional<Problem> CheckMediaType(const HttpRequest& request) {
  if (const std::string* encoding = request.FindHeader("Content-Encoding")) {
    return Problem{
        WireError::kUnsupportedMediaType, Cat("Content-Encoding: expected none, found ", Shown(*encoding)), {}, ""};
  }
  const std::string* type = request.FindHeader("Content-Type");
  if (type == nullptr || IsJson(*type)) return std::nullopt;
  return Problem{
      WireError::kUnsupportedMediaType, Cat("Content-Type: expected application/json, found ", Shown(*type)), {}, ""};
}

// Of our own trace or the caller's; empty where there is none.
std::string TraceIdOf(const std::optional<RequestTrace>& trace, const HttpRequest& request) {
  if (trace.has_value()) return ToHex(trace->trace_id);
  const std::optional<TraceParent> parent = TraceParentOf(request);
  return parent.has_value() ? ToHex(parent->trace_id) : "";
}

}  // namespace

App::App(Service& service, Metrics& metrics, Log& log, const AppOptions& options)
    : service_(service),
      metrics_(metrics),
      log_(log),
      options_(options),
      key_(options.api_key),
      openapi_(OpenApiJson(service.model(), service.options(),
                           {.with_key = !options.api_key.empty(),
                            .protect_metrics = options.protect_metrics,
                            .max_body_bytes = options.max_body_bytes})) {
  metrics_.AddRoutes(HttpRoutes());
}

std::optional<Problem> App::CheckHead(const HttpRequest& request) const {
  return Check(request, MatchRoute(request.method, request.path()));
}

std::optional<Problem> App::Check(const HttpRequest& request, const RouteMatch& match) const {
  if (match.route == nullptr) {
    if (!match.allow.empty()) {
      return Problem{WireError::kMethodNotAllowed, Cat("this path takes ", match.allow), {}, ""};
    }
    return Problem{WireError::kNotFound, "no such path; /openapi.json lists what is served", {}, ""};
  }
  const Operation operation = match.route->operation;
  const bool is_open = match.route->is_probe || (operation == Operation::kMetrics && !options_.protect_metrics);
  if (!is_open && !key_.Admits(request)) {
    return Problem{
        WireError::kUnauthorised, "the key is missing or wrong: X-API-Key, or Authorization: Bearer", {}, ""};
  }
  if (!TakesBody(operation)) return std::nullopt;
  return CheckMediaType(request);
}

std::shared_ptr<App::Call> App::Begin(HttpRequest request) const {
  auto call = std::make_shared<Call>();
  call->request = std::move(request);
  call->match = MatchRoute(call->request.method, call->request.path());
  call->correlation_id = CorrelationIdOf(call->request);
  call->started = service_.Now();
  call->body_bytes = call->request.body.size();
  if (options_.tracer != nullptr) BeginTrace(*call);
  return call;
}

HttpResponse App::Answer(Call& call, HttpResponse response) {
  response.headers.push_back({"X-Correlation-ID", call.correlation_id});
  if (!call.match.allow.empty()) response.headers.push_back({"Allow", std::string(call.match.allow)});
  if (service_.draining()) response.close = true;
  const TimePoint end = service_.Now();
  const Duration duration = end - call.started;
  if (call.trace.has_value()) EndTrace(call, response.status, end);
  metrics_.HttpFinished(call.match.metrics_index, response.status, duration);
  if (options_.access_log && log_.enabled(LogLevel::kInfo)) {
    const HttpRoute series = HttpRoutes()[static_cast<size_t>(call.match.metrics_index)];
    log_.Info("request", {{"request_id", call.correlation_id},
                          {"trace_id", TraceIdOf(call.trace, call.request)},
                          {"route", series.route},
                          {"method", series.method},
                          {"status", response.status},
                          {"duration_ms", Milliseconds(duration)},
                          {"bytes_in", call.body_bytes},
                          {"bytes_out", response.body.size()},
                          {"texts", call.texts},
                          {"tokens", call.tokens}});
  }
  return response;
}

HttpResponse App::Answer(Call& call, const Problem& problem) {
  if (!problem.log_message.empty()) {
    log_.Error("request failed", {{"request_id", call.correlation_id}, {"reason", problem.log_message}});
  }
  return Answer(call, call.is(Operation::kHuggingFace)
                          ? HuggingFaceError(problem)
                          : RestError(problem, call.correlation_id, std::chrono::system_clock::now()));
}

HttpResponse App::Refuse(const HttpRequest& request, const Problem& problem) {
  if (problem.error == WireError::kBodyTooLarge) service_.CountTooLarge();
  metrics_.HttpStarted();
  const auto call = Begin(request);
  HttpResponse response = Answer(*call, problem);
  response.close = true;
  return response;
}

Engine::Ticket App::Handle(HttpRequest request, HttpReply reply) {
  metrics_.HttpStarted();
  const std::shared_ptr<Call> call = Begin(std::move(request));
  if (const std::optional<Problem> problem = Check(call->request, call->match)) {
    reply([this, call, problem = *problem] { return Answer(*call, problem); });
    return {};
  }
  return Dispatch(call, std::move(reply));
}

Engine::Ticket App::Dispatch(const std::shared_ptr<Call>& call, HttpReply reply) {
  switch (call->match.route->operation) {
    case Operation::kPredict:
    case Operation::kPredictBatch:
    case Operation::kHuggingFace:
      return Classify(call, std::move(reply));
    case Operation::kFeedback:
      reply([this, call] { return AnswerFeedback(*call); });
      break;
    case Operation::kModelInfo:
      reply([this, call] { return Answer(*call, {.body = ModelInfoJson(service_)}); });
      break;
    case Operation::kLive:
      reply([this, call] { return AnswerProbe(*call, service_.Live()); });
      break;
    case Operation::kReady:
      reply([this, call] { return AnswerProbe(*call, service_.Ready()); });
      break;
    case Operation::kHealth:
      reply([this, call] {
        const absl::Status live = service_.Live();
        return live.ok() ? Answer(*call, {.body = HealthJson(service_)}) : AnswerProbe(*call, live);
      });
      break;
    case Operation::kMetrics:
      reply([this, call] {
        service_.UpdateMetrics();
        return Answer(*call, {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics_.Scrape()});
      });
      break;
    case Operation::kOpenApi:
      reply([this, call] { return Answer(*call, {.body = openapi_}); });
      break;
  }
  return {};
}

HttpResponse App::AnswerProbe(Call& call, const absl::Status& state) {
  if (!state.ok()) return Answer(call, ProblemOf(state));
  return Answer(call, {.body = call.is(Operation::kReady) ? R"({"status":"ready"})" : R"({"status":"live"})"});
}

}  // namespace ks
