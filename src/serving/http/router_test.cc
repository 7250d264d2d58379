#include "serving/http/router.h"

#include "gtest/gtest.h"

namespace ks {
namespace {

std::string_view PathOf(std::string_view method, std::string_view path) {
  const RouteMatch match = MatchRoute(method, path);
  return match.route == nullptr ? "" : match.route->path;
}

TEST(MatchRoute, KnowsEveryPathWithAndWithoutPrefix) {
  EXPECT_EQ(PathOf("POST", "/api/v1/predict"), "/api/v1/predict");
  EXPECT_EQ(PathOf("POST", "/predict"), "/api/v1/predict");
  EXPECT_EQ(PathOf("POST", "/predict/batch"), "/api/v1/predict/batch");
  EXPECT_EQ(PathOf("GET", "/ready"), "/health/ready");
  EXPECT_EQ(PathOf("HEAD", "/api/v1/health"), "/health");
  EXPECT_EQ(PathOf("GET", "/metrics"), "/metrics");
}

TEST(MatchRoute, TakesOneOrTwoSegmentsAsAModelsName) {
  EXPECT_EQ(PathOf("POST", "/"), "/");
  EXPECT_EQ(PathOf("POST", "/models/x"), "/models/{id}");
  EXPECT_EQ(PathOf("POST", "/models/org/x%2Fy"), "/models/{org}/{id}");
  for (const char* path : {"/models", "/models/", "/models//x", "/models/x/", "/models/a/b/c", ""}) {
    EXPECT_EQ(PathOf("POST", path), "") << path;
  }
}

TEST(MatchRoute, ComparesPathsExactly) {
  for (const char* path :
       {"/api/v1/predict/", "/API/v1/predict", "//predict", "/api/v1", "/api/v1/metrics", "/health/live/x"}) {
    EXPECT_EQ(PathOf("POST", path), "") << path;
    EXPECT_EQ(PathOf("GET", path), "") << path;
    EXPECT_EQ(MatchRoute("GET", path).allow, "") << path;
  }
}

TEST(MatchRoute, NamesTheMethodsOfAKnownPath) {
  EXPECT_EQ(MatchRoute("GET", "/predict").allow, "POST");
  EXPECT_EQ(MatchRoute("POST", "/metrics").allow, "GET, HEAD");
  EXPECT_EQ(MatchRoute("OPTIONS", "/models/x").allow, "POST");
  EXPECT_EQ(MatchRoute("get", "/metrics").allow, "GET, HEAD");
}

TEST(MatchRoute, GivesEachAnswerASeriesThatExists) {
  const auto routes = HttpRoutes();
  for (const Route& route : Routes()) {
    const HttpRoute& series = routes.at(static_cast<size_t>(MatchRoute(route.method, route.path).metrics_index));
    EXPECT_EQ(series.route, route.path);
    EXPECT_EQ(series.method, route.method);
  }
  const auto series = [&](std::string_view method) {
    const HttpRoute& route = routes.at(static_cast<size_t>(MatchRoute(method, "/nowhere").metrics_index));
    return route.route + " " + route.method;
  };
  EXPECT_EQ(series("GET"), "unmatched GET");
  EXPECT_EQ(series("HEAD"), "unmatched GET");
  EXPECT_EQ(series("POST"), "unmatched POST");
  EXPECT_EQ(series("BREW"), "unmatched other");
}

}  // namespace
}  // namespace ks
