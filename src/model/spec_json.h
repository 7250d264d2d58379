// ClassifierSpec <-> the object "model" of a package's manifest.
#pragma once

#include "absl/status/statusor.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "model/classifier_spec.h"

namespace ks {

// Writes the spec as one JSON object; the same bytes for the same spec.
void WriteSpecJson(const ClassifierSpec& spec, JsonWriter& json);

// Reads what WriteSpecJson wrote. Error: kInvalidArgument naming the key, what was expected and what was found.
absl::StatusOr<ClassifierSpec> SpecFromJson(const JsonObject& object);

}  // namespace ks
