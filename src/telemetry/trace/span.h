// One span as OTLP has it, ready to be written. Views: the values are fixed names of this program's, or live until the span
// is written. A client's text never is one.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "telemetry/trace/trace_parent.h"

namespace ks {

enum class SpanKind { kInternal = 1, kServer = 2 };  // the numbers of OTLP

struct SpanAttribute {
  SpanAttribute(std::string_view key_in, int64_t number) : key(key_in), value(number) {}
  SpanAttribute(std::string_view key_in, std::string_view text) : key(key_in), value(text) {}

  std::string_view key;
  std::variant<int64_t, std::string_view> value;
};

struct Span {
  std::string_view name;
  SpanKind kind = SpanKind::kInternal;
  TimePoint start = {};
  TimePoint end = {};
  bool failed = false;
  std::vector<SpanAttribute> attributes = {};
};

}  // namespace ks
