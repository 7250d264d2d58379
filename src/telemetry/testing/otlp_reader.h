// Reads back what AppendSpan writes. Tests only; that the format is OTLP's is for others to say (otlp_test.cc).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/hex.h"

namespace ks {

struct ReadSpan {
  std::string trace_id, id, parent;  // hexadecimal; empty where absent
  std::string state, name;
  uint64_t kind = 0, start = 0, end = 0, status = 0, flags = 0;  // times in nanoseconds since 1970
  std::map<std::string, std::string> attributes;                 // numbers as text
};

// Calls `take` for each field of a message: its number, and its value as a number or as bytes.
inline void ReadFields(std::string_view message, const std::function<void(int, uint64_t, std::string_view)>& take) {
  const auto varint = [&message] {
    uint64_t value = 0;
    for (int shift = 0; !message.empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(message.front());
      message.remove_prefix(1);
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (!message.empty()) {
    const uint64_t tag = varint();
    const int field = static_cast<int>(tag >> 3);
    if ((tag & 7) == 0) {
      take(field, varint(), {});
      continue;
    }
    const size_t size = (tag & 7) == 2 ? varint() : (tag & 7) == 1 ? 8 : 4;
    const std::string_view bytes = message.substr(0, size);
    uint64_t number = 0;
    for (size_t i = 0; i < bytes.size() && i < 8; ++i) number |= uint64_t{static_cast<uint8_t>(bytes[i])} << 8 * i;
    take(field, number, bytes);
    message.remove_prefix(bytes.size());
  }
}

inline std::string ToHex(std::string_view bytes) {
  return ToHex({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

inline ReadSpan ReadOneSpan(std::string_view message) {
  ReadSpan span;
  ReadFields(message, [&span](int field, uint64_t number, std::string_view bytes) {
    if (field == 1) span.trace_id = ToHex(bytes);
    if (field == 2) span.id = ToHex(bytes);
    if (field == 3) span.state = bytes;
    if (field == 4) span.parent = ToHex(bytes);
    if (field == 5) span.name = bytes;
    if (field == 6) span.kind = number;
    if (field == 7) span.start = number;
    if (field == 8) span.end = number;
    if (field == 16) span.flags = number;
    if (field == 15) ReadFields(bytes, [&span](int, uint64_t code, std::string_view) { span.status = code; });
    if (field != 9) return;
    std::string key, value;
    ReadFields(bytes, [&](int part, uint64_t, std::string_view content) {
      if (part == 1) key = content;
      if (part != 2) return;
      ReadFields(content, [&](int kind, uint64_t amount, std::string_view text) {
        value = kind == 1 ? std::string(text) : std::to_string(static_cast<int64_t>(amount));
      });
    });
    span.attributes[key] = value;
  });
  return span;
}

inline std::vector<ReadSpan> ReadSpans(std::string_view spans) {
  std::vector<ReadSpan> read;
  ReadFields(spans, [&read](int, uint64_t, std::string_view message) { read.push_back(ReadOneSpan(message)); });
  return read;
}

}  // namespace ks
