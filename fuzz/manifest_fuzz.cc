// Whatever the text: an error, or a manifest that is written and read back unchanged.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "package/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto manifest = ks::ManifestFromJson({reinterpret_cast<const char*>(data), size}, "input");
  if (!manifest.ok()) return 0;
  const std::string json = ks::ManifestToJson(*manifest);
  const auto again = ks::ManifestFromJson(json, "again");
  if (!again.ok() || ks::ManifestToJson(*again) != json) __builtin_trap();
  return 0;
}
