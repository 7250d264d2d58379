// Tested by trace_parent_test.cc and fuzz/traceparent_fuzz.cc.
#include "telemetry/trace/trace_parent.h"

#include <algorithm>
#include <cstddef>

#include "base/hex.h"
#include "base/utf8.h"

namespace ks {
namespace {

constexpr size_t kHeaderChars = 55;
constexpr size_t kMostStateBytes = 512;

int LowerHexValue(char c) { return c >= 'A' && c <= 'F' ? -1 : HexDigitValue(c); }

// False where `text` is anything but two digits a byte.
template <size_t kBytes>
bool ReadHex(std::string_view text, std::array<uint8_t, kBytes>& bytes) {
  for (size_t i = 0; i < kBytes; ++i) {
    const int high = LowerHexValue(text[2 * i]), low = LowerHexValue(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

template <size_t kBytes>
bool IsZero(const std::array<uint8_t, kBytes>& bytes) {
  return std::ranges::all_of(bytes, [](uint8_t byte) { return byte == 0; });
}

}  // namespace

std::optional<TraceParent> ParseTraceParent(std::string_view header) {
  if (header.size() < kHeaderChars || header[2] != '-' || header[35] != '-' || header[52] != '-') return std::nullopt;
  std::array<uint8_t, 1> version, flags;
  TraceParent parent;
  if (!ReadHex(header.substr(0, 2), version) || !ReadHex(header.substr(3, 32), parent.trace_id) ||
      !ReadHex(header.substr(36, 16), parent.span_id) || !ReadHex(header.substr(53, 2), flags)) {
    return std::nullopt;
  }
  if (version[0] == 0xFF || IsZero(parent.trace_id) || IsZero(parent.span_id)) return std::nullopt;
  if (header.size() > kHeaderChars && (version[0] == 0 || header[kHeaderChars] != '-')) return std::nullopt;
  parent.sampled = (flags[0] & 1) != 0;
  return parent;
}

std::string_view CheckedTraceState(std::string_view header) {
  return header.size() <= kMostStateBytes && IsPrintableAscii(header) ? header : std::string_view();
}

}  // namespace ks
