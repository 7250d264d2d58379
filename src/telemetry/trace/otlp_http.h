// OTLP over HTTP: where spans are sent, and what a collector's answer means.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/http_client.h"
#include "telemetry/trace/exporter.h"

namespace ks {

// The address of a collector's traces: "/v1/traces" behind `endpoint`, as OTLP has it for the endpoint of all signals.
// kInvalidArgument with the whole of `endpoint` where it is not "http://HOST[:PORT][/PATH]"; `https` has a sentence of its
// own.
absl::StatusOr<HttpUrl> ParseOtlpEndpoint(std::string_view endpoint);

// Posts each batch to `url` as the spans of `service_name`, `service_version`, with an id of this process. Errors beside
// HttpPost's: kUnavailable for the statuses that OTLP calls passing (429, 502, 503, 504) and for a name without an address,
// kFailedPrecondition for any other that is not 2xx.
SpanExporter::Send SendOverHttp(const HttpUrl& url, std::string service_name, std::string service_version);

}  // namespace ks
