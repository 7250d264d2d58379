// Who asks, and under which names a request is known: keys, correlation ids, trace ids, deadlines. Pure functions of
// the headers.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "serving/http/message.h"
#include "telemetry/trace/trace_parent.h"

namespace ks {

// The key that requests must carry, kept as its hash: comparing two hashes tells nothing of the key by its time.
class ApiKey {
 public:
  // An empty key: everybody may ask.
  explicit ApiKey(std::string_view key);

  bool required() const { return required_; }
  // Whether X-API-Key holds the key, or Authorization as a Bearer token. True where none is required.
  bool Admits(const HttpRequest& request) const;

 private:
  bool Equals(std::string_view candidate) const;

  bool required_;
  std::string hash_;
};

// X-Correlation-ID where it is 1 to 128 printable ASCII characters, otherwise a new UUID4.
std::string CorrelationIdOf(const HttpRequest& request);

// The trace that the request belongs to by its `traceparent` header; nothing where that is absent, malformed or there twice.
std::optional<TraceParent> TraceParentOf(const HttpRequest& request);

// The values of all `tracestate` headers as one, fit to hand on; empty where there is nothing of the kind.
std::string TraceStateOf(const HttpRequest& request);

// The time that X-Request-Timeout-Ms allows from now, nothing where the header is absent; at most a day.
// Errors: kInvalidInput where it is no whole number of milliseconds.
absl::StatusOr<std::optional<Duration>> RequestTimeoutOf(const HttpRequest& request);

}  // namespace ks
