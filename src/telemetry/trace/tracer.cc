// Tested by tracer_test.cc.
#include "telemetry/trace/tracer.h"

#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/random.h"
#include "telemetry/trace/otlp.h"

namespace ks {
namespace {

// The part of a trace id that is random by W3C Trace Context, level 2.
constexpr int kRandomBits = 56;
constexpr uint64_t kAllRandom = uint64_t{1} << kRandomBits;

// Never zero. `bytes` has a multiple of 8.
template <size_t kSize>
std::array<uint8_t, kSize> NewId() {
  std::array<uint8_t, kSize> id;
  for (size_t at = 0; at < kSize; at += sizeof(uint64_t)) {
    const uint64_t bits = RandomBits() | 1;
    std::memcpy(id.data() + at, &bits, sizeof(bits));
  }
  return id;
}

uint64_t RandomOf(const TraceId& id) {
  uint64_t random = 0;
  for (size_t i = id.size() - kRandomBits / 8; i < id.size(); ++i) random = random << 8 | id[i];
  return random;
}

}  // namespace

Tracer::Tracer(double sample_ratio, Sink sink, const Clock& clock, Calendar calendar)
    : least_random_(static_cast<uint64_t>(std::llround((1 - sample_ratio) * static_cast<double>(kAllRandom)))),
      sink_(std::move(sink)),
      clock_(clock),
      calendar_(std::move(calendar)) {}

std::optional<RequestTrace> Tracer::Begin(const std::optional<TraceParent>& parent, std::string_view state,
                                          bool may_begin) const {
  RequestTrace trace;
  if (parent.has_value()) {
    if (!parent->sampled) return std::nullopt;
    trace.trace_id = parent->trace_id;
    trace.caller = parent->span_id;
    trace.state = state;
  } else {
    if (!may_begin) return std::nullopt;
    trace.trace_id = NewId<sizeof(TraceId)>();
    if (RandomOf(trace.trace_id) < least_random_) return std::nullopt;
  }
  trace.wall_offset = calendar_().time_since_epoch() - clock_.Now().time_since_epoch();
  return trace;
}

void Tracer::End(const RequestTrace& trace, const Span& whole, std::span<const Span> parts) const {
  SpanPlace place = {.trace_id = trace.trace_id,
                     .id = NewId<sizeof(SpanId)>(),
                     .parent = trace.caller,
                     .parent_is_remote = trace.caller.has_value(),
                     .state = trace.state};
  std::string spans;
  AppendSpan(place, whole, trace.wall_offset, spans);
  place.parent = place.id;
  place.parent_is_remote = false;
  for (const Span& part : parts) {
    place.id = NewId<sizeof(SpanId)>();
    AppendSpan(place, part, trace.wall_offset, spans);
  }
  sink_(spans, static_cast<int>(parts.size()) + 1);
}

}  // namespace ks
