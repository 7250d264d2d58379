// Tested by router_test.cc.
#include "serving/http/router.h"

namespace ks {
namespace {

// "/models/{id}" against "/models/x": segment by segment.
bool Matches(std::string_view pattern, std::string_view path) {
  for (;;) {
    const size_t brace = pattern.find('{');
    if (brace == std::string_view::npos) return pattern == path;
    if (!path.starts_with(pattern.substr(0, brace))) return false;
    path.remove_prefix(brace);
    const size_t segment = std::min(path.find('/'), path.size());
    if (segment == 0) return false;
    path.remove_prefix(segment);
    pattern.remove_prefix(pattern.find('}') + 1);
  }
}

bool Names(const Route& route, std::string_view path) {
  if (Matches(route.path, path)) return true;
  for (const std::string_view alias : route.aliases) {
    if (Matches(alias, path)) return true;
  }
  return false;
}

int UnmatchedIndex(std::string_view method) {
  const int first = static_cast<int>(Routes().size());
  return method == "GET" || method == "HEAD" ? first : method == "POST" ? first + 1 : first + 2;
}

}  // namespace

std::span<const Route> Routes() {
  static const std::vector<Route> routes = {
      {Operation::kPredict, "POST", "/api/v1/predict", {"/predict"}},
      {Operation::kPredictBatch, "POST", "/api/v1/predict/batch", {"/predict/batch"}},
      {Operation::kModelInfo, "GET", "/api/v1/model-info", {"/model-info"}},
      {Operation::kFeedback, "POST", "/api/v1/feedback", {"/feedback"}},
      {Operation::kLive, "GET", "/health/live", {"/api/v1/health/live"}, true},
      {Operation::kReady, "GET", "/health/ready", {"/api/v1/health/ready", "/ready", "/api/v1/ready"}, true},
      {Operation::kHealth, "GET", "/health", {"/api/v1/health"}, true},
      {Operation::kMetrics, "GET", "/metrics", {}},
      {Operation::kOpenApi, "GET", "/openapi.json", {}},
      {Operation::kHuggingFace, "POST", "/", {}},
      {Operation::kHuggingFace, "POST", "/models/{id}", {}},
      {Operation::kHuggingFace, "POST", "/models/{org}/{id}", {}},
  };
  return routes;
}

RouteMatch MatchRoute(std::string_view method, std::string_view path) {
  const std::span<const Route> routes = Routes();
  for (size_t i = 0; i < routes.size(); ++i) {
    if (!Names(routes[i], path)) continue;
    const bool is_get = routes[i].method == "GET";
    if (method == routes[i].method || (is_get && method == "HEAD")) return {&routes[i], "", static_cast<int>(i)};
    return {nullptr, is_get ? "GET, HEAD" : routes[i].method, UnmatchedIndex(method)};
  }
  return {nullptr, "", UnmatchedIndex(method)};
}

std::vector<HttpRoute> HttpRoutes() {
  std::vector<HttpRoute> routes;
  for (const Route& route : Routes()) routes.push_back({std::string(route.path), std::string(route.method)});
  for (const char* method : {"GET", "POST", "other"}) routes.push_back({"unmatched", method});
  return routes;
}

}  // namespace ks
