// expect: deleted
#include "base/json.h"

namespace ks {

size_t KeyBytes(const JsonValue& value) {
  size_t bytes = 0;
#ifdef KS_MISUSE
  for (const auto& member : (*value.AsObject()).members()) bytes += member.key.size();  // members of a temporary
#else
  const absl::StatusOr<JsonObject> object = value.AsObject();
  for (const auto& member : object->members()) bytes += member.key.size();
#endif
  return bytes;
}

}  // namespace ks
