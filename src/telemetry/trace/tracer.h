// Which requests are traced, under which ids, and what becomes of their spans.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "telemetry/trace/span.h"
#include "telemetry/trace/trace_parent.h"

namespace ks {

// A request that is being traced. The calendar is asked once, so that the times of its spans agree with each other whatever
// sets the machine's clock meanwhile.
struct RequestTrace {
  TraceId trace_id;
  std::optional<SpanId> caller;  // the span that sent the request
  std::string state;
  Duration wall_offset{0};  // what the calendar's time since 1970 is ahead of the spans' clock
};

// All methods are safe from any thread.
class Tracer {
 public:
  // Takes the spans of one request, as AppendSpan writes them.
  using Sink = std::function<void(std::string_view spans, int count)>;
  using Calendar = std::function<std::chrono::system_clock::time_point()>;

  // Of the requests that belong to no trace yet, `sample_ratio` (0 to 1) are traced. `clock` must outlive the tracer.
  Tracer(double sample_ratio, Sink sink, const Clock& clock, Calendar calendar = std::chrono::system_clock::now);

  // Whether to trace a request. With a `parent` its caller has decided (the flag sampled). Without, the ratio does, by the
  // new trace id, so that all who go by the id alone agree; where `may_begin` is false, no trace begins. `state` is that of
  // the parent's trace.
  std::optional<RequestTrace> Begin(const std::optional<TraceParent>& parent, std::string_view state,
                                    bool may_begin) const;

  // Hands over the spans of a request: `whole`, of all of it, and below it `parts`.
  void End(const RequestTrace& trace, const Span& whole, std::span<const Span> parts) const;

 private:
  const uint64_t least_random_;  // of an id's last 56 bits, for the trace to be kept
  const Sink sink_;
  const Clock& clock_;
  const Calendar calendar_;
};

}  // namespace ks
