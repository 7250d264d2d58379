#include "telemetry/trace/otlp_http.h"

#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(ParseOtlpEndpoint, PutsThePathOfTracesBehindIt) {
  const auto read = [](std::string_view endpoint) {
    const auto url = ParseOtlpEndpoint(endpoint);
    return url.ok() ? Cat(url->authority(), url->target) : "refused";
  };
  EXPECT_EQ(read("http://collector:4318"), "collector:4318/v1/traces");
  EXPECT_EQ(read("http://collector:4318/"), "collector:4318/v1/traces");
  EXPECT_EQ(read("http://[::1]:4318/otlp"), "[::1]:4318/otlp/v1/traces");
  EXPECT_EQ(read("http://collector/otlp/"), "collector:80/otlp/v1/traces");
}

TEST(ParseOtlpEndpoint, SaysWhatItTakes) {
  const auto message = [](std::string_view endpoint) {
    const auto url = ParseOtlpEndpoint(endpoint);
    EXPECT_EQ(url.status().code(), absl::StatusCode::kInvalidArgument) << endpoint;
    return std::string(url.status().message());
  };
  EXPECT_THAT(message("https://c:4318"), StartsWith("https is not supported"));
  EXPECT_THAT(message("https://c:4318"), HasSubstr("\"https://c:4318\""));
  EXPECT_THAT(message("http://c:4318/?a=b"), HasSubstr("without a query, found \"http://c:4318/?a=b\""));
  EXPECT_THAT(message("localhost:4318"), HasSubstr("expected http://HOST"));
  EXPECT_THAT(message("http://user:password@c"), HasSubstr("expected http://HOST"));
}

}  // namespace
}  // namespace ks
