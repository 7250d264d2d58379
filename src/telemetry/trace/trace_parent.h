// W3C Trace Context: what a caller's headers `traceparent` and `tracestate` say of the trace that a request belongs to.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ks {

// Never all zero where they name something.
using TraceId = std::array<uint8_t, 16>;
using SpanId = std::array<uint8_t, 8>;

struct TraceParent {
  TraceId trace_id;
  SpanId span_id;        // the caller's
  bool sampled = false;  // the caller keeps this trace
};

// Reads "VERSION-TRACE_ID-SPAN_ID-FLAGS" in lower-case hexadecimal digits, without blanks around it. Version 00 ends there,
// a later one may go on with "-" and anything. Nothing for everything else: an id of zeros, version ff, capitals.
std::optional<TraceParent> ParseTraceParent(std::string_view header);

// The value of `tracestate` to hand on: the text as it is, or an empty one where it is longer than 512 bytes or holds
// what no header of this kind may, anything but printable ASCII.
std::string_view CheckedTraceState(std::string_view header);

}  // namespace ks
