// Tested by error_map_test.cc.
#include "serving/error_map.h"

#include <array>

#include "base/strings.h"

namespace ks {
namespace {

constexpr std::array<WireErrorRow, 22> kRows = {{
    {WireError::kBadBody, "E1001", 400, "not HTTP or not JSON"},
    {WireError::kInvalidInput, "E1001", 422, "invalid input"},
    {WireError::kTextTooLong, "E1002", 422, "text too long"},
    {WireError::kTextEmpty, "E1003", 422, "text empty or blank"},
    {WireError::kBatchTooBig, "E1005", 422, "batch too big"},
    {WireError::kBatchEmpty, "E1006", 422, "batch empty"},
    {WireError::kUnknownPrediction, "E1007", 404, "unknown prediction"},
    {WireError::kModelNotLoaded, "E2001", 503, "model not ready"},
    {WireError::kInferenceFailed, "E2002", 500, "inference failed"},
    {WireError::kDeadlinePassed, "E2003", 504, "deadline passed"},
    {WireError::kUnsupportedBackend, "E2010", 400, "unsupported backend"},
    {WireError::kUnauthorised, "E3002", 401, "unauthorised"},
    {WireError::kInternal, "E4001", 500, "internal error"},
    {WireError::kDraining, "E4002", 503, "draining"},
    {WireError::kNotFound, "E4004", 404, "not found"},
    {WireError::kQueueFull, "E4005", 429, "queue full"},
    {WireError::kMethodNotAllowed, "E4006", 405, "method not allowed"},
    {WireError::kRequestTimeout, "E4008", 408, "request timeout"},
    {WireError::kAbandoned, "E4009", 499, "client left"},
    {WireError::kBodyTooLarge, "E4010", 413, "body too large"},
    {WireError::kUnsupportedMediaType, "E4011", 415, "unsupported media type"},
    {WireError::kHeaderTooLarge, "E4012", 431, "header too large"},
}};

consteval bool RowsAreInOrder() {
  for (size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].error != static_cast<WireError>(i)) return false;
  }
  return true;
}
static_assert(RowsAreInOrder());

}  // namespace

std::span<const WireErrorRow> WireErrors() { return kRows; }

const WireErrorRow& RowOf(WireError error) { return kRows[static_cast<size_t>(error)]; }

WireError WireErrorOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidInput:
      return WireError::kInvalidInput;
    case ErrorCode::kTextTooLong:
      return WireError::kTextTooLong;
    case ErrorCode::kTextEmpty:
      return WireError::kTextEmpty;
    case ErrorCode::kBatchTooBig:
      return WireError::kBatchTooBig;
    case ErrorCode::kBatchEmpty:
      return WireError::kBatchEmpty;
    case ErrorCode::kUnknownPrediction:
      return WireError::kUnknownPrediction;
    case ErrorCode::kModelNotLoaded:
      return WireError::kModelNotLoaded;
    case ErrorCode::kInferenceFailed:
      return WireError::kInferenceFailed;
    case ErrorCode::kDeadlinePassed:
      return WireError::kDeadlinePassed;
    case ErrorCode::kUnsupportedBackend:
      return WireError::kUnsupportedBackend;
    case ErrorCode::kAbandoned:
      return WireError::kAbandoned;
    case ErrorCode::kQueueFull:
      return WireError::kQueueFull;
    case ErrorCode::kDraining:
      return WireError::kDraining;
    case ErrorCode::kInternal:
      break;
  }
  return WireError::kInternal;
}

Problem ProblemOf(const absl::Status& status) {
  Problem problem{WireErrorOf(CodeOf(status)), std::string(status.message()), RetryAfterOf(status), ""};
  if (problem.error == WireError::kInternal || problem.error == WireError::kInferenceFailed) {
    problem.log_message = status.ToString();
    problem.message = Cat(RowOf(problem.error).meaning, "; the server's log has the reason under this correlation_id");
  }
  return problem;
}

}  // namespace ks
