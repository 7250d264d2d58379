// The spans that an app hands over for a request, on a clock that stands still.
#include <memory>
#include <string>
#include <vector>

#include "base/strings.h"
#include "engine/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "serving/http/app.h"
#include "serving/testing/world.h"
#include "telemetry/testing/otlp_reader.h"

namespace ks {
namespace {
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr char kTraceId[] = "4bf92f3577b34da6a3ce929d0e0e4736";

HttpHeader TraceParentHeader(const std::string& flags = "01") {
  return {"traceparent", std::string("00-") + kTraceId + "-00f067aa0ba902b7-" + flags};
}

class AppTraceTest : public ::testing::Test {
 protected:
  HttpRequest Post(std::string path, std::string body, std::vector<HttpHeader> headers = {}) {
    return {"POST", std::move(path), std::move(headers), std::move(body)};
  }
  void Ask(HttpRequest request) {
    world_.app.Handle(std::move(request), [](const MakeHttpResponse& make) { make(); });
  }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const ReadSpan& span : spans_) names.push_back(span.name);
    return names;
  }

  std::vector<ReadSpan> spans_;  // of the last request
  ManualClock clock_;
  Tracer tracer_{1, [this](std::string_view spans, int) { spans_ = ReadSpans(spans); }, clock_,
                 [] { return std::chrono::system_clock::time_point(std::chrono::seconds(1)); }};
  World world_{AppOptions{.tracer = &tracer_}};
};

TEST_F(AppTraceTest, ARequestIsOneSpanAndBelowItsParts) {
  world_.engine.Hold();
  Ask(Post("/predict?backend=onnx", R"({"text":"I love this"})", {TraceParentHeader(), {"tracestate", "a=1"}}));
  const std::shared_ptr<Timeline> timeline = world_.engine.last_options().timeline;
  ASSERT_NE(timeline, nullptr);
  const TimePoint start = world_.clock.Now();
  timeline->backend = "onnx";
  timeline->tokenize_start = start;
  timeline->tokenize_end = timeline->queued = start + milliseconds(1);
  timeline->tokens = 5;
  timeline->unqueued = start + milliseconds(3);
  timeline->runs = {
      {.start = start + milliseconds(3), .end = start + milliseconds(5), .sequences = 4, .tokens = 90, .cores = 2}};
  world_.clock.Advance(milliseconds(6));
  world_.engine.Release();

  EXPECT_THAT(names(), ElementsAre("POST /api/v1/predict", "tokenize", "queue", "run"));
  const ReadSpan& whole = spans_[0];
  EXPECT_EQ(whole.trace_id, kTraceId);
  EXPECT_EQ(whole.parent, "00f067aa0ba902b7");
  EXPECT_EQ(whole.state, "a=1");
  EXPECT_EQ(whole.kind, 2u);
  EXPECT_EQ(whole.status, 0u);
  EXPECT_EQ(whole.end - whole.start, 6'000'000u);
  EXPECT_THAT(whole.attributes,
              UnorderedElementsAre(Pair("http.request.method", "POST"), Pair("http.route", "/api/v1/predict"),
                                   Pair("http.response.status_code", "200"), Pair("ks.texts", "1")));
  EXPECT_THAT(spans_[1].attributes, UnorderedElementsAre(Pair("ks.tokens", "5")));
  EXPECT_THAT(spans_[3].attributes, UnorderedElementsAre(Pair("ks.backend", "onnx"), Pair("ks.batch.sequences", "4"),
                                                         Pair("ks.batch.tokens", "90"), Pair("ks.cores", "2")));
  EXPECT_EQ(spans_[1].start, whole.start);
  EXPECT_EQ(spans_[2].start, spans_[1].end);
  EXPECT_EQ(spans_[2].end, spans_[3].start);
  EXPECT_EQ(spans_[3].end - whole.start, 5'000'000u);
  for (size_t i = 1; i < 4; ++i) {
    EXPECT_EQ(spans_[i].trace_id, kTraceId);
    EXPECT_EQ(spans_[i].parent, whole.id);
    EXPECT_EQ(spans_[i].kind, 1u);
  }
  EXPECT_THAT(world_.log_lines(), ElementsAre(HasSubstr(kTraceId)));
}

TEST_F(AppTraceTest, TheCallerSaysNo) {
  Ask(Post("/predict", R"({"text":"a"})", {TraceParentHeader("00")}));
  EXPECT_THAT(spans_, IsEmpty());
  EXPECT_EQ(world_.engine.last_options().timeline, nullptr);
  EXPECT_THAT(world_.log_lines(), ElementsAre(HasSubstr(kTraceId))) << "the log names the caller's trace all the same";
}

TEST_F(AppTraceTest, AWrongHeaderBeginsANewTraceWithoutItsState) {
  Ask(Post("/predict", R"({"text":"a"})", {{"traceparent", "00-xyz"}, {"tracestate", "a=1"}}));
  ASSERT_EQ(spans_.size(), 1u);
  EXPECT_EQ(spans_[0].parent, "");
  EXPECT_EQ(spans_[0].state, "");
  EXPECT_THAT(world_.log_lines(), ElementsAre(HasSubstr(Cat("\"trace_id\":\"", spans_[0].trace_id))));
}

TEST_F(AppTraceTest, ProbesAndScrapesAreTracedOnRequestAlone) {
  for (const char* path : {"/health", "/health/live", "/health/ready", "/metrics"}) {
    Ask({"GET", path, {}, ""});
    EXPECT_THAT(spans_, IsEmpty()) << path;
  }
  Ask({"GET", "/health/live", {TraceParentHeader()}, ""});
  EXPECT_THAT(names(), ElementsAre("GET /health/live"));
}

TEST_F(AppTraceTest, WhatWaitedInVainIsAFailedQueue) {
  world_.engine.FailWith(MakeError(ErrorCode::kDeadlinePassed, "late"));
  world_.engine.Hold();
  Ask(Post("/predict", R"({"text":"a"})"));
  const std::shared_ptr<Timeline> timeline = world_.engine.last_options().timeline;
  timeline->queued = world_.clock.Now();
  timeline->unqueued = timeline->queued + milliseconds(2);
  world_.engine.Release();
  EXPECT_THAT(names(), ElementsAre("POST /api/v1/predict", "queue"));
  EXPECT_EQ(spans_[0].attributes["http.response.status_code"], "504");
  EXPECT_EQ(spans_[0].attributes["error.type"], "504");
  EXPECT_EQ(spans_[0].status, 2u);
  EXPECT_EQ(spans_[1].status, 2u);
}

TEST_F(AppTraceTest, AClientsMistakeIsNoFailure) {
  Ask(Post("/predict", "no JSON"));
  ASSERT_EQ(spans_.size(), 1u);
  EXPECT_EQ(spans_[0].status, 0u);
  EXPECT_EQ(spans_[0].attributes["http.response.status_code"], "400");
  EXPECT_FALSE(spans_[0].attributes.contains("error.type"));
}

TEST_F(AppTraceTest, NothingThatAClientWroteIsAnAttribute) {
  Ask({"SECRET", "/secret?secret", {{"secret", "secret"}}, "secret"});
  ASSERT_EQ(spans_.size(), 1u);
  EXPECT_EQ(spans_[0].name, "_OTHER");
  EXPECT_THAT(spans_[0].attributes,
              UnorderedElementsAre(Pair("http.request.method", "_OTHER"), Pair("http.response.status_code", "404")));
}

TEST_F(AppTraceTest, ARequestThatCouldNotBeReadHasASpanToo) {
  world_.app.Refuse(Post("/predict", ""), {WireError::kRequestTimeout, "late", {}, ""});
  EXPECT_THAT(names(), ElementsAre("POST /api/v1/predict"));
}

}  // namespace
}  // namespace ks
