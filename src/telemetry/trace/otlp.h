// OTLP's protobuf messages, as far as we send them: a few fields, written by hand. Field numbers from opentelemetry-proto
// 1.x (opentelemetry/proto/trace/v1/trace.proto, common/v1/common.proto, collector/trace/v1/trace_service.proto; stable).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "telemetry/trace/span.h"

namespace ks {

// Where a span has its place.
struct SpanPlace {
  TraceId trace_id;
  SpanId id;
  std::optional<SpanId> parent = std::nullopt;  // none: it begins the trace
  bool parent_is_remote = false;                // the parent is a span of the caller's
  std::string_view state = {};                  // of the trace, as it came
};

// Appends one element of ScopeSpans.spans. `wall_offset` is what the calendar's time since 1970 is ahead of the clock that
// the span's times come from. A parent where there is none is left out.
void AppendSpan(const SpanPlace& place, const Span& span, Duration wall_offset, std::string& spans);

// A whole ExportTraceServiceRequest over `spans`, elements that AppendSpan made. `resource`: attributes of who sends them.
std::string MakeTraceRequest(const std::vector<std::pair<std::string, std::string>>& resource,
                             std::string_view scope_version, std::string_view spans);

}  // namespace ks
