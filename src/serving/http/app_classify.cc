// App's operations with a body: texts to the engine and back, and feedback. Tested by app_test.cc.
#include <utility>

#include "base/json_writer.h"
#include "base/utf8.h"
#include "serving/http/answer_json.h"
#include "serving/http/app_call.h"

namespace ks {
namespace {

std::string BatchJson(const ModelDescription& model, const ClassifyResult& result,
                      const std::vector<std::string>& texts, const std::vector<std::string>& ids) {
  JsonWriter json;
  json.BeginObject();
  json.Key("results").BeginArray();
  for (size_t i = 0; i < result.results.size(); ++i) {
    json.Raw(PredictionJson(model, result.results[i], result.backend, ids[i], CountCodePoints(texts[i])));
  }
  json.EndArray();
  json.Key("total").Int(static_cast<int64_t>(result.results.size()));
  json.Key("inference_time_ms").Fixed(Milliseconds(result.times.infer), 3);
  json.EndObject();
  return std::move(json).Take();
}

// The body as JSON is a 400, its values are a 422.
Problem NotJson(const absl::Status& status) { return {WireError::kBadBody, std::string(status.message()), {}, ""}; }

}  // namespace

std::optional<Problem> App::ReadClassifyRequest(Call& call) {
  const auto timeout = RequestTimeoutOf(call.request);
  if (!timeout.ok()) return ProblemOf(timeout.status());
  const TimePoint deadline = AddSaturated(call.started, timeout->value_or(service_.engine_options().default_deadline));
  std::optional<std::string> backend;
  if (!call.is(Operation::kHuggingFace)) backend = call.request.QueryParameter("backend");
  if (backend.has_value()) {
    if (const absl::Status status = service_.CheckBackend(*backend); !status.ok()) return ProblemOf(status);
  }
  // Before the body is looked at: a refusal under overload should cost nothing.
  if (const absl::Status status = service_.Precheck(deadline); !status.ok()) return ProblemOf(status);

  const absl::StatusOr<JsonDocument> document = ParseBody(call.request.body);
  if (!document.ok()) return NotJson(document.status());
  const BodyLimits limits = {service_.options().max_text_chars, service_.options().max_batch_texts,
                             static_cast<int>(service_.model().labels.size())};
  absl::StatusOr<ClassifyBody> body = call.is(Operation::kPredict) ? ReadPredictBody(document->root(), limits)
                                      : call.is(Operation::kPredictBatch)
                                          ? ReadBatchBody(document->root(), limits)
                                          : ReadHuggingFaceBody(document->root(), limits);
  if (!body.ok()) {
    const ErrorCode code = CodeOf(body.status());
    if (code == ErrorCode::kTextTooLong || code == ErrorCode::kBatchTooBig) service_.CountTooLarge();
    return ProblemOf(body.status());
  }
  call.body = *std::move(body);
  call.body.options.deadline = deadline;
  call.body.options.backend = backend.value_or("");
  if (call.trace.has_value()) call.body.options.timeline = std::make_shared<Timeline>();
  call.request.body = {};  // while the engine works, the texts alone are kept
  return std::nullopt;
}

Engine::Ticket App::Classify(const std::shared_ptr<Call>& call, HttpReply reply) {
  if (const std::optional<Problem> problem = ReadClassifyRequest(*call)) {
    reply([this, call, problem = *problem] { return Answer(*call, problem); });
    return {};
  }
  return service_.Classify(
      call->body.Inputs(), call->body.options,
      [this, call, reply = std::move(reply)](absl::StatusOr<ClassifyResult> result) {
        reply([this, call, result = std::move(result)] { return AnswerClassified(*call, result); });
      });
}

HttpResponse App::AnswerClassified(Call& call, const absl::StatusOr<ClassifyResult>& result) {
  if (!result.ok()) return Answer(call, ProblemOf(result.status()));
  const ModelDescription& model = service_.model();
  call.texts = static_cast<int>(result->results.size());
  for (const Classification& one : result->results) call.tokens += one.tokens;

  HttpResponse response;
  AddTimings(*result, response);
  if (call.is(Operation::kHuggingFace)) {
    response.body = HuggingFaceJson(model, *result);
    return Answer(call, std::move(response));
  }
  std::vector<std::string> ids;
  for (const Classification& one : result->results) ids.push_back(service_.RememberPrediction(one, result->backend));
  response.body = call.is(Operation::kPredict) ? PredictionJson(model, result->results.front(), result->backend,
                                                                ids.front(), CountCodePoints(call.body.texts.front()))
                                               : BatchJson(model, *result, call.body.texts, ids);
  return Answer(call, std::move(response));
}

HttpResponse App::AnswerFeedback(Call& call) {
  const absl::StatusOr<JsonDocument> document = ParseBody(call.request.body);
  if (!document.ok()) return Answer(call, NotJson(document.status()));
  const absl::StatusOr<Feedback> feedback = ReadFeedbackBody(document->root());
  if (!feedback.ok()) return Answer(call, ProblemOf(feedback.status()));
  const absl::StatusOr<FeedbackOutcome> outcome = service_.AddFeedback(*feedback);
  if (!outcome.ok()) return Answer(call, ProblemOf(outcome.status()));

  JsonWriter json;
  json.BeginObject();
  json.Key("prediction_id").String(feedback->prediction_id);
  json.Key("agreed").Bool(outcome->agreed);
  json.Key("counted").Bool(outcome->counted);
  json.EndObject();
  return Answer(call, {.status = outcome->counted ? 201 : 200, .body = std::move(json).Take()});
}

}  // namespace ks
