#include "telemetry/trace/tracer.h"

#include <set>

#include "base/hex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "telemetry/testing/otlp_reader.h"

namespace ks {
namespace {
using std::chrono::milliseconds;

std::chrono::system_clock::time_point Noon() {
  return std::chrono::sys_days{std::chrono::year{2026} / 1 / 31} + std::chrono::hours(12);
}
int64_t NoonNanoseconds() { return std::chrono::nanoseconds(Noon().time_since_epoch()).count(); }

class TracerTest : public ::testing::Test {
 protected:
  Tracer Make(double ratio) {
    return Tracer(
        ratio,
        [this](std::string_view spans, int count) {
          count_ = count;
          spans_ = ReadSpans(spans);
        },
        clock_, Noon);
  }

  ManualClock clock_;
  int count_ = 0;
  std::vector<ReadSpan> spans_;
};

TEST_F(TracerTest, TheCallerDecides) {
  TraceParent parent = {.trace_id = {1}, .span_id = {2}, .sampled = false};
  const Tracer always = Make(1), never = Make(0);
  EXPECT_FALSE(always.Begin(parent, "", true).has_value());
  parent.sampled = true;
  const auto trace = never.Begin(parent, "a=1", /*may_begin=*/false);
  ASSERT_TRUE(trace.has_value());
  EXPECT_EQ(trace->trace_id, parent.trace_id);
  EXPECT_EQ(trace->caller, parent.span_id);
  EXPECT_EQ(trace->state, "a=1");
}

TEST_F(TracerTest, TheRatioDecidesWhereNobodyDid) {
  const auto kept_of = [&](double ratio, bool may_begin = true) {
    const Tracer tracer = Make(ratio);
    std::set<TraceId> ids;
    for (int i = 0; i < 10000; ++i) {
      if (const auto trace = tracer.Begin(std::nullopt, "", may_begin)) ids.insert(trace->trace_id);
    }
    return static_cast<int>(ids.size());
  };
  EXPECT_EQ(kept_of(1), 10000);
  EXPECT_EQ(kept_of(0), 0);
  EXPECT_EQ(kept_of(1, /*may_begin=*/false), 0);
  EXPECT_NEAR(kept_of(0.25), 2500, 250) << "six standard deviations";
}

TEST_F(TracerTest, PutsThePartsUnderTheWhole) {
  const Tracer tracer = Make(1);
  const TimePoint start = clock_.Now();
  const auto trace = tracer.Begin(TraceParent{.trace_id = {1}, .span_id = {2}, .sampled = true}, "a=1", true);
  clock_.Advance(milliseconds(5));
  const std::vector<Span> parts = {{.name = "queue", .start = start + milliseconds(1), .end = start + milliseconds(2)},
                                   {.name = "run", .start = start + milliseconds(2), .end = start + milliseconds(4)}};
  tracer.End(*trace, {.name = "POST /x", .kind = SpanKind::kServer, .start = start, .end = clock_.Now()}, parts);
  EXPECT_EQ(count_, 3);
  ASSERT_EQ(spans_.size(), 3u);
  EXPECT_EQ(spans_[0].name, "POST /x");
  EXPECT_EQ(spans_[0].parent, "0200000000000000");
  EXPECT_EQ(spans_[0].flags, 0x301u) << "sampled, and the parent is somebody else's";
  EXPECT_EQ(spans_[0].start, NoonNanoseconds());
  EXPECT_EQ(spans_[0].end, NoonNanoseconds() + 5'000'000);
  std::set<std::string> ids;
  for (const ReadSpan& span : spans_) {
    EXPECT_EQ(span.trace_id, "01" + std::string(30, '0'));
    EXPECT_EQ(span.state, "a=1");
    ids.insert(span.id);
  }
  EXPECT_EQ(ids.size(), 3u);
  for (const size_t part : {1, 2}) {
    EXPECT_EQ(spans_[part].parent, spans_[0].id);
    EXPECT_EQ(spans_[part].flags, 0x101u);
  }
  EXPECT_EQ(spans_[2].start, NoonNanoseconds() + 2'000'000);
}

TEST_F(TracerTest, ATraceOfItsOwnHasNoParent) {
  const Tracer tracer = Make(1);
  const auto trace = tracer.Begin(std::nullopt, "", true);
  ASSERT_TRUE(trace.has_value());
  tracer.End(*trace, {.name = "GET"}, {});
  ASSERT_EQ(spans_.size(), 1u);
  EXPECT_EQ(spans_[0].parent, "");
  EXPECT_EQ(spans_[0].flags, 0x101u);
  EXPECT_EQ(spans_[0].trace_id, ToHex(trace->trace_id));
}

}  // namespace
}  // namespace ks
