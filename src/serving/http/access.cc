// Tested by access_test.cc.
#include "serving/http/access.h"

#include <algorithm>
#include <charconv>
#include <span>

#include "base/sha256.h"
#include "base/strings.h"
#include "base/uuid.h"
#include "engine/error.h"

namespace ks {
namespace {

constexpr std::string_view kBearer = "bearer ";
constexpr size_t kMostCorrelationIdChars = 128;
constexpr int64_t kMostTimeoutMs = 24 * 3600 * 1000;

bool IsHex(std::string_view text) { return text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }
std::string HashOf(std::string_view key) { return Sha256Hex(std::as_bytes(std::span(key))); }
bool IsAllZero(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }

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
    const bool printable = std::all_of(id.begin(), id.end(), [](char c) { return c >= 0x20 && c <= 0x7E; });
    if (!id.empty() && id.size() <= kMostCorrelationIdChars && printable) return std::string(id);
  }
  return NewUuid4();
}

// version "-" trace-id "-" parent-id "-" flags, lower case; later versions may append more.
std::string_view TraceIdOf(const HttpRequest& request) {
  const std::string* header = request.FindHeader("traceparent");
  if (header == nullptr) return {};
  const std::string_view value = TrimBlanks(*header);
  if (value.size() < 55 || value[2] != '-' || value[35] != '-' || value[52] != '-') return {};
  const std::string_view version = value.substr(0, 2);
  const std::string_view trace_id = value.substr(3, 32);
  const std::string_view parent_id = value.substr(36, 16);
  if (!IsHex(version) || !IsHex(trace_id) || !IsHex(parent_id) || !IsHex(value.substr(53, 2))) return {};
  if (version == "ff" || IsAllZero(trace_id) || IsAllZero(parent_id)) return {};
  if (value.size() > 55 && (version == "00" || value[55] != '-')) return {};
  return trace_id;
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
