// The schemas of the OpenAPI document. For openapi.cc alone.
#pragma once

#include <string>
#include <vector>

#include "base/json_writer.h"
#include "serving/model_description.h"
#include "serving/service.h"

namespace ks {

// The object `components.schemas`.
void WriteSchemas(JsonWriter& json, const ModelDescription& model, const ServiceOptions& limits);

void WriteStringArray(JsonWriter& json, const std::vector<std::string>& strings);

}  // namespace ks
