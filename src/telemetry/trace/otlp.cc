// Protobuf's wire format: a field is its number and type as a varint, then the value; a message inside another is its
// length and its bytes. A repeated field is its elements one after the other, so that finished spans can simply be put end
// to end. Tested by otlp_test.cc against bytes of the official library, and whole in tests/integration/test_traces.py.
#include "telemetry/trace/otlp.h"

#include <array>
#include <span>

namespace ks {
namespace {

enum WireType : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

constexpr uint32_t kFlagSampled = 0x1;
constexpr uint32_t kFlagKnowsIfRemote = 0x100;
constexpr uint32_t kFlagIsRemote = 0x200;
constexpr int kStatusError = 2;

void PutVarint(uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void PutTag(uint32_t field, WireType type, std::string& out) { PutVarint(uint64_t{field} << 3 | type, out); }

template <typename Number>
void PutFixed(uint32_t field, Number value, std::string& out) {
  PutTag(field, sizeof(Number) == 8 ? kFixed64 : kFixed32, out);
  for (size_t i = 0; i < sizeof(Number); ++i) out.push_back(static_cast<char>(value >> 8 * i));
}

void PutNumber(uint32_t field, uint64_t value, std::string& out) {
  PutTag(field, kVarint, out);
  PutVarint(value, out);
}

void PutBytes(uint32_t field, std::string_view bytes, std::string& out) {
  PutTag(field, kBytes, out);
  PutVarint(bytes.size(), out);
  out.append(bytes);
}

template <size_t kSize>
void PutId(uint32_t field, const std::array<uint8_t, kSize>& id, std::string& out) {
  PutBytes(field, {reinterpret_cast<const char*>(id.data()), id.size()}, out);
}

// KeyValue {key = 1, value = 2: AnyValue {string_value = 1, int_value = 3}}
void PutAttribute(uint32_t field, const SpanAttribute& attribute, std::string& out) {
  std::string value, pair;
  if (const int64_t* number = std::get_if<int64_t>(&attribute.value)) {
    PutNumber(3, static_cast<uint64_t>(*number), value);
  } else {
    PutBytes(1, std::get<std::string_view>(attribute.value), value);
  }
  PutBytes(1, attribute.key, pair);
  PutBytes(2, value, pair);
  PutBytes(field, pair, out);
}

uint64_t UnixNanoseconds(TimePoint time, Duration wall_offset) {
  return static_cast<uint64_t>((time.time_since_epoch() + wall_offset).count());
}

}  // namespace

// Span {trace_id = 1, span_id = 2, trace_state = 3, parent_span_id = 4, name = 5, kind = 6, start_time_unix_nano = 7,
// end_time_unix_nano = 8, attributes = 9, status = 15: Status {code = 3}, flags = 16}
void AppendSpan(const SpanPlace& place, const Span& span, Duration wall_offset, std::string& spans) {
  std::string message;
  message.reserve(256);
  PutId(1, place.trace_id, message);
  PutId(2, place.id, message);
  if (!place.state.empty()) PutBytes(3, place.state, message);
  if (place.parent.has_value()) PutId(4, *place.parent, message);
  PutBytes(5, span.name, message);
  PutNumber(6, static_cast<uint64_t>(span.kind), message);
  PutFixed<uint64_t>(7, UnixNanoseconds(span.start, wall_offset), message);
  PutFixed<uint64_t>(8, UnixNanoseconds(span.end, wall_offset), message);
  for (const SpanAttribute& attribute : span.attributes) PutAttribute(9, attribute, message);
  if (span.failed) {
    std::string status;
    PutNumber(3, kStatusError, status);
    PutBytes(15, status, message);
  }
  PutFixed<uint32_t>(16, kFlagSampled | kFlagKnowsIfRemote | (place.parent_is_remote ? kFlagIsRemote : 0), message);
  PutBytes(2, message, spans);
}

// ExportTraceServiceRequest {resource_spans = 1: ResourceSpans {resource = 1: Resource {attributes = 1}, scope_spans = 2:
// ScopeSpans {scope = 1: InstrumentationScope {name = 1, version = 2}, spans = 2}}}
std::string MakeTraceRequest(const std::vector<std::pair<std::string, std::string>>& resource,
                             std::string_view scope_version, std::string_view spans) {
  std::string attributes, scope, scope_spans, resource_spans, request;
  for (const auto& [key, value] : resource) PutAttribute(1, {key, std::string_view(value)}, attributes);
  PutBytes(1, "kubesentiment", scope);
  PutBytes(2, scope_version, scope);
  scope_spans.reserve(spans.size() + 64);
  PutBytes(1, scope, scope_spans);
  scope_spans.append(spans);
  PutBytes(1, attributes, resource_spans);
  PutBytes(2, scope_spans, resource_spans);
  PutBytes(1, resource_spans, request);
  return request;
}

}  // namespace ks
