// Tested by access_test.cc.
#include "serving/http/access.h"

#include <algorithm>
#include <charconv>
#include <span>

#include "base/sha256.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "base/uuid.h"
#include "engine/error.h"

namespace ks {
namespace {

constexpr std::string_view kBearer = "bearer ";
constexpr size_t kMostCorrelationIdChars = 128;
constexpr int64_t kMostTimeoutMs = 24 * 3600 * 1000;

std::string HashOf(std::string_view key) { return Sha256Hex(std::as_bytes(std::span(key))); }

}  // namespace

ApiKey::ApiKey(std::string_view key) : required_(!key.empty()), hash_(HashOf(key)) {}

bool ApiKey::Equals(std::string_view candidate) const {
  const std::string hash = HashOf(candidate);
  unsigned difference = 0;
  for (size_t i = 0; i < hash_.size(); ++i) difference |= static_cast<unsigned>(hash[i] ^ hash_[i]);
  return difference == 0;
}

bool ApiKey::Admits(const HttpRequest& request) const {
  if (!required_) return true;
  if (const std::string* key = request.FindHeader("X-API-Key")) return Equals(TrimBlanks(*key));
  const std::string* authorization = request.FindHeader("Authorization");
  if (authorization == nullptr) return false;
  const std::string_view value = TrimBlanks(*authorization);
  if (!EqualsIgnoringCase(value.substr(0, kBearer.size()), kBearer)) return false;
  return Equals(TrimBlanks(value.substr(kBearer.size())));
}

std::string CorrelationIdOf(const HttpRequest& request) {
  if (const std::string* sent = request.FindHeader("X-Correlation-ID")) {
    const std::string_view id = TrimBlanks(*sent);
    if (!id.empty() && id.size() <= kMostCorrelationIdChars && IsPrintableAscii(id)) return std::string(id);
  }
  return NewUuid4();
}

std::optional<TraceParent> TraceParentOf(const HttpRequest& request) {
  const std::string* only = nullptr;
  for (const HttpHeader& header : request.headers) {
    if (!EqualsIgnoringCase(header.name, "traceparent")) continue;
    if (only != nullptr) return std::nullopt;
    only = &header.value;
  }
  return only == nullptr ? std::nullopt : ParseTraceParent(TrimBlanks(*only));
}

std::string TraceStateOf(const HttpRequest& request) {
  std::string joined;
  for (const HttpHeader& header : request.headers) {
    if (!EqualsIgnoringCase(header.name, "tracestate")) continue;
    joined += Cat(joined.empty() ? "" : ",", TrimBlanks(header.value));
  }
  return std::string(CheckedTraceState(joined));
}

absl::StatusOr<std::optional<Duration>> RequestTimeoutOf(const HttpRequest& request) {
  const std::string* header = request.FindHeader("X-Request-Timeout-Ms");
  if (header == nullptr) return std::nullopt;
  const std::string_view value = TrimBlanks(*header);
  int64_t milliseconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), milliseconds);
  const bool whole = !value.empty() && end == value.data() + value.size() && error != std::errc::invalid_argument;
  if (!whole || value[0] == '-') {
    return MakeError(ErrorCode::kInvalidInput, Cat("X-Request-Timeout-Ms: expected whole milliseconds, found ",
                                                   value.size(), " bytes of something else"));
  }
  if (error == std::errc::result_out_of_range) milliseconds = kMostTimeoutMs;
  return std::chrono::milliseconds(std::min(milliseconds, kMostTimeoutMs));
}

}  // namespace ks
