// One request inside App, from its head to its answer. For app*.cc alone.
#pragma once

#include <optional>
#include <string>

#include "serving/http/app.h"
#include "serving/http/request_json.h"

namespace ks {

struct App::Call {
  HttpRequest request;
  RouteMatch match;
  std::string correlation_id;
  TimePoint started;
  size_t body_bytes = 0;
  ClassifyBody body;  // of the operations that classify
  int texts = 0;      // answered, and the tokens that ran for them
  int tokens = 0;
  std::optional<RequestTrace> trace;

  bool is(Operation operation) const { return match.route != nullptr && match.route->operation == operation; }
};

}  // namespace ks
