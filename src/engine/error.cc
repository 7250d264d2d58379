#include "engine/error.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "absl/strings/cord.h"
#include "base/status.h"

namespace ks {
namespace {

// Payloads are keyed by a type name; these two are ours alone.
constexpr char kCodePayload[] = "kubesentiment/error_code";
constexpr char kRetryAfterPayload[] = "kubesentiment/retry_after_seconds";

absl::StatusCode StatusCodeOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidInput:
    case ErrorCode::kTextTooLong:
    case ErrorCode::kTextEmpty:
    case ErrorCode::kBatchTooBig:
    case ErrorCode::kBatchEmpty:
    case ErrorCode::kUnsupportedBackend:
      return absl::StatusCode::kInvalidArgument;
    case ErrorCode::kUnknownPrediction:
      return absl::StatusCode::kNotFound;
    case ErrorCode::kModelNotLoaded:
    case ErrorCode::kDraining:
      return absl::StatusCode::kUnavailable;
    case ErrorCode::kDeadlinePassed:
      return absl::StatusCode::kDeadlineExceeded;
    case ErrorCode::kAbandoned:
      return absl::StatusCode::kCancelled;
    case ErrorCode::kQueueFull:
      return absl::StatusCode::kResourceExhausted;
    case ErrorCode::kInferenceFailed:
    case ErrorCode::kInternal:
      return absl::StatusCode::kInternal;
  }
  return absl::StatusCode::kInternal;
}

void SetIntPayload(absl::Status& status, const char* key, int64_t value) {
  const std::string digits = Cat(value);
  // From a view: Debian's library has the constructor from a string under GCC's name alone.
  status.SetPayload(key, absl::Cord(ToAbsl(digits)));
}

std::optional<int64_t> IntPayload(const absl::Status& status, const char* key) {
  const absl::optional<absl::Cord> payload = status.GetPayload(key);
  if (!payload.has_value()) return std::nullopt;
  const std::string digits(*payload);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

}  // namespace

absl::Status MakeError(ErrorCode code, std::string_view message) {
  absl::Status status = MakeStatus(StatusCodeOf(code), message);
  SetIntPayload(status, kCodePayload, static_cast<int64_t>(code));
  return status;
}

absl::Status MakeQueueFull(std::string_view message, std::chrono::seconds retry_after) {
  absl::Status status = MakeError(ErrorCode::kQueueFull, message);
  SetIntPayload(status, kRetryAfterPayload, std::max<int64_t>(1, retry_after.count()));
  return status;
}

ErrorCode CodeOf(const absl::Status& status) {
  const std::optional<int64_t> code = IntPayload(status, kCodePayload);
  return code.has_value() ? static_cast<ErrorCode>(*code) : ErrorCode::kInternal;
}

std::optional<std::chrono::seconds> RetryAfterOf(const absl::Status& status) {
  const std::optional<int64_t> seconds = IntPayload(status, kRetryAfterPayload);
  if (!seconds.has_value()) return std::nullopt;
  return std::chrono::seconds(*seconds);
}

}  // namespace ks
