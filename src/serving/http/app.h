// The HTTP protocols without a socket: which operation a request is, whether it may pass, and its answer.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "serving/error_map.h"
#include "serving/http/access.h"
#include "serving/http/message.h"
#include "serving/http/router.h"
#include "serving/service.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"
#include "telemetry/trace/tracer.h"

namespace ks {

struct AppOptions {
  std::string api_key = {};      // empty: none is asked for
  bool protect_metrics = false;  // /metrics asks for the key too
  bool access_log = true;        // one line a request, at level info
  size_t max_body_bytes = 8 << 20;
  const Tracer* tracer = nullptr;  // null: nothing is traced; must outlive the app
};

// All methods are safe from any thread.
class App {
 public:
  // All references must outlive the app and every answer it still owes. Registers the routes with `metrics`.
  App(Service& service, Metrics& metrics, Log& log, const AppOptions& options);
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  const AppOptions& options() const { return options_; }

  // What the head of a request says against reading its body: unknown route or method, no key, wrong media type, a body
  // announced as too large. Nothing is counted here: Handle or Refuse follows.
  std::optional<Problem> CheckHead(const HttpRequest& request) const;

  // Answers a request whose body is complete. `reply` is called once: before this returns, or later on a thread of the
  // engine's. Parses and tokenises on the calling thread. Counts and logs the request. The ticket is for Cancel; expired
  // where there is nothing to cancel.
  Engine::Ticket Handle(HttpRequest request, HttpReply reply);

  // The client of a request has gone: if it still waits, its `reply` is called now, on the calling thread.
  void Cancel(const Engine::Ticket& ticket) { service_.Cancel(ticket); }

  // The answer to a request that could not be read to its end (or not at all: `request` as far as it came), counted and
  // logged.
  HttpResponse Refuse(const HttpRequest& request, const Problem& problem);

 private:
  struct Call;  // one request on its way

  std::shared_ptr<Call> Begin(HttpRequest request) const;
  std::optional<Problem> Check(const HttpRequest& request, const RouteMatch& match) const;
  Engine::Ticket Dispatch(const std::shared_ptr<Call>& call, HttpReply reply);
  // Every answer passes here, once: headers, metrics, trace, log.
  HttpResponse Answer(Call& call, HttpResponse response);
  HttpResponse Answer(Call& call, const Problem& problem);
  HttpResponse AnswerProbe(Call& call, const absl::Status& state);

  // app_trace.cc: the spans of a request, of those that are traced.
  void BeginTrace(Call& call) const;
  void EndTrace(const Call& call, int status, TimePoint end) const;

  // app_classify.cc
  Engine::Ticket Classify(const std::shared_ptr<Call>& call, HttpReply reply);
  // Fills call.body, or says why not.
  std::optional<Problem> ReadClassifyRequest(Call& call);
  HttpResponse AnswerClassified(Call& call, const absl::StatusOr<ClassifyResult>& result);
  HttpResponse AnswerFeedback(Call& call);

  Service& service_;
  Metrics& metrics_;
  Log& log_;
  const AppOptions options_;
  const ApiKey key_;
  const std::string openapi_;
};

}  // namespace ks
