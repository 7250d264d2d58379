// The spans of one request: all of it, and below that tokenize, queue and each run, from the engine's timeline. Nothing that a
// client wrote becomes an attribute: the route is a template of ours, the method one that HTTP names. Tested by
// app_trace_test.cc.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/strings.h"
#include "serving/http/app_call.h"

namespace ks {
namespace {

constexpr std::array<std::string_view, 9> kMethods = {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS",
                                                      "PATCH",   "POST",   "PUT", "TRACE"};

std::string_view KnownMethod(std::string_view method) {
  return std::ranges::find(kMethods, method) == kMethods.end() ? "_OTHER" : method;
}

bool IsPart(TimePoint end) { return end != TimePoint(); }

// `answered` is false where the request left the queue unrun.
std::vector<Span> PartsOf(const Timeline& timeline, bool answered) {
  std::vector<Span> parts;
  if (IsPart(timeline.tokenize_end)) {
    parts.push_back({.name = "tokenize",
                     .start = timeline.tokenize_start,
                     .end = timeline.tokenize_end,
                     .attributes = {{"ks.tokens", timeline.tokens}}});
  }
  if (IsPart(timeline.unqueued)) {
    parts.push_back({.name = "queue",
                     .start = timeline.queued,
                     .end = timeline.unqueued,
                     .failed = !answered && timeline.runs.empty(),
                     .attributes = {}});
  }
  for (const Timeline::Run& run : timeline.runs) {
    parts.push_back({.name = "run",
                     .start = run.start,
                     .end = run.end,
                     .failed = !run.ok,
                     .attributes = {{"ks.backend", timeline.backend},
                                    {"ks.batch.sequences", int64_t{run.sequences}},
                                    {"ks.batch.tokens", run.tokens},
                                    {"ks.cores", int64_t{run.cores}}}});
  }
  return parts;
}

}  // namespace

void App::BeginTrace(Call& call) const {
  // Probes and scrapes come every few seconds: they are no traces of their own.
  const bool is_probe = call.match.route != nullptr && (call.match.route->is_probe || call.is(Operation::kMetrics));
  const std::optional<TraceParent> parent = TraceParentOf(call.request);
  call.trace = options_.tracer->Begin(parent, parent.has_value() ? TraceStateOf(call.request) : "", !is_probe);
}

void App::EndTrace(const Call& call, int status, TimePoint end) const {
  const std::string_view method = KnownMethod(call.request.method);
  const std::string_view route = call.match.route == nullptr ? "" : call.match.route->path;
  const std::string name = Cat(method, route.empty() ? "" : " ", route);
  const std::string status_text = Cat(status);
  Span whole = {.name = name,
                .kind = SpanKind::kServer,
                .start = call.started,
                .end = end,
                .failed = status >= 500,
                .attributes = {{"http.request.method", method}, {"http.response.status_code", int64_t{status}}}};
  if (!route.empty()) whole.attributes.emplace_back("http.route", route);
  if (whole.failed) whole.attributes.emplace_back("error.type", status_text);
  if (call.texts > 0) whole.attributes.emplace_back("ks.texts", int64_t{call.texts});
  const Timeline* timeline = call.body.options.timeline.get();
  const std::vector<Span> parts =
      timeline == nullptr ? std::vector<Span>() : PartsOf(*timeline, /*answered=*/call.texts > 0);
  options_.tracer->End(*call.trace, whole, parts);
}

}  // namespace ks
