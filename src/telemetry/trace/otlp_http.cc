// Tested by otlp_http_test.cc, and against the official definitions by tests/integration/test_traces.py.
#include "telemetry/trace/otlp_http.h"

#include <utility>
#include <vector>

#include "base/status.h"
#include "base/uuid.h"
#include "telemetry/trace/otlp.h"

namespace ks {
namespace {

constexpr std::string_view kTracesPath = "/v1/traces";

// Those that OTLP/HTTP names as worth another try.
bool IsPassing(int status) { return status == 429 || status == 502 || status == 503 || status == 504; }

absl::Status StatusOf(const absl::StatusOr<HttpAnswer>& answer) {
  if (absl::IsNotFound(answer.status()))
    return absl::UnavailableError(answer.status().message());  // a name may come yet
  if (!answer.ok()) return answer.status();
  if (answer->status / 100 == 2) return absl::OkStatus();
  const std::string message = Cat("status ", answer->status);
  return IsPassing(answer->status) ? absl::UnavailableError(message) : absl::FailedPreconditionError(message);
}

}  // namespace

absl::StatusOr<HttpUrl> ParseOtlpEndpoint(std::string_view endpoint) {
  if (endpoint.starts_with("https://")) {
    return InvalidArgument("https is not supported: name a collector nearby that takes http and forwards, found \"",
                           endpoint, "\"");
  }
  absl::StatusOr<HttpUrl> url = ParseHttpUrl(endpoint);
  if (!url.ok()) return url;
  if (url->target.find('?') != std::string::npos) {
    return InvalidArgument("expected http://HOST[:PORT][/PATH] without a query, found \"", endpoint, "\"");
  }
  if (url->target.ends_with('/')) url->target.pop_back();
  url->target += kTracesPath;
  return url;
}

SpanExporter::Send SendOverHttp(const HttpUrl& url, std::string service_name, std::string service_version) {
  const std::vector<std::pair<std::string, std::string>> resource = {
      {"service.name", std::move(service_name)},
      {"service.version", service_version},
      {"service.instance.id", NewUuid4()},
  };
  return [url, resource, service_version](std::string_view spans, Duration timeout) {
    const std::string request = MakeTraceRequest(resource, service_version, spans);
    return StatusOf(HttpPost(url, "application/x-protobuf", request, timeout));
  };
}

}  // namespace ks
