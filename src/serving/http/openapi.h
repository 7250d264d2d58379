// GET /openapi.json: exactly what the running server takes and gives, limits and labels as numbers and enums.
#pragma once

#include <cstddef>
#include <string>

#include "serving/model_description.h"
#include "serving/service.h"

namespace ks {

struct OpenApiOptions {
  bool with_key = false;         // a key is asked for
  bool protect_metrics = false;  // for /metrics too
  size_t max_body_bytes = 8 << 20;
};

// An OpenAPI 3.1 document. Requests are open (unknown fields are legal), answers are closed. Paths are listed under
// their first name; the same operations without the /api/v1 prefix are named in their descriptions.
std::string OpenApiJson(const ModelDescription& model, const ServiceOptions& limits, const OpenApiOptions& options);

}  // namespace ks
