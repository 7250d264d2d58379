// Which operation a path and a method name. One table; metrics, log and the API document use its templates.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "telemetry/metrics.h"

namespace ks {

enum class Operation {
  kPredict,
  kPredictBatch,
  kModelInfo,
  kFeedback,
  kLive,
  kReady,
  kHealth,
  kMetrics,
  kOpenApi,
  kHuggingFace,
};

struct Route {
  Operation operation;
  std::string_view method;                // the one it takes; HEAD goes where GET does
  std::string_view path;                  // the template: {x} stands for one segment that is not empty
  std::vector<std::string_view> aliases;  // other paths of the same operation, under the same name in metrics
  bool is_probe = false;                  // answers without a key
};

std::span<const Route> Routes();

struct RouteMatch {
  const Route* route = nullptr;  // nullptr: no such path, or not with this method
  std::string_view allow;        // with a known path and another method: the methods for Allow; otherwise empty
  int metrics_index = 0;         // into HttpRoutes()
};

// `path` as HttpRequest::path(); compared byte by byte.
RouteMatch MatchRoute(std::string_view method, std::string_view path);

// For Metrics::AddRoutes: each route in the order of Routes(), then "unmatched" by method: GET, POST, other.
std::vector<HttpRoute> HttpRoutes();

}  // namespace ks
