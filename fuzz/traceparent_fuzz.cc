// Whatever the header: nothing, or ids that say the same when they are written again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/hex.h"
#include "telemetry/trace/trace_parent.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view header(reinterpret_cast<const char*>(data), size);
  const std::string_view state = ks::CheckedTraceState(header);
  if (!state.empty() && (state != header || state.size() > 512)) __builtin_trap();
  const auto parent = ks::ParseTraceParent(header);
  if (!parent.has_value()) return 0;
  const std::string id = ks::ToHex(parent->trace_id);
  if (header.substr(3, 32) != id || id == std::string(32, '0')) __builtin_trap();
  const std::string again =
      std::string("00-") + id + "-" + std::string(header.substr(36, 16)) + (parent->sampled ? "-01" : "-00");
  const auto same = ks::ParseTraceParent(again);
  if (!same.has_value() || same->trace_id != parent->trace_id || same->span_id != parent->span_id ||
      same->sampled != parent->sampled) {
    __builtin_trap();
  }
  return 0;
}
