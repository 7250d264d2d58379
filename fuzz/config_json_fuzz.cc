// Whatever the text: an error, or a spec that the manifest keeps unchanged and whose tensors can be named.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/json.h"
#include "model/config.h"
#include "model/spec_json.h"
#include "model/weights.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto spec = ks::ParseConfig({reinterpret_cast<const char*>(data), size}, "input");
  if (!spec.ok()) return 0;
  ks::JsonWriter json;
  ks::WriteSpecJson(*spec, json);
  const auto document = ks::JsonDocument::Parse(json.text(), "again");
  if (!document.ok()) __builtin_trap();
  const auto object = document->root().AsObject();
  if (!object.ok()) __builtin_trap();
  const auto again = ks::SpecFromJson(*object);
  if (!again.ok() || *again != *spec) __builtin_trap();
  if (ks::ExpectedTensors(*spec).size() < 8) __builtin_trap();
  return 0;
}
