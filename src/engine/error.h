// The errors a caller can get, one list for every protocol. An absl::Status carries the code as a payload, so that it
// travels through Status like any other; what each becomes on the wire is a table in serving/.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "absl/status/status.h"

namespace ks {

enum class ErrorCode {
  kInvalidInput,        // E1001
  kTextTooLong,         // E1002
  kTextEmpty,           // E1003
  kBatchTooBig,         // E1005
  kBatchEmpty,          // E1006
  kUnknownPrediction,   // E1007
  kModelNotLoaded,      // E2001
  kInferenceFailed,     // E2002
  kDeadlinePassed,      // E2003
  kUnsupportedBackend,  // E2010
  kAbandoned,           // E4009
  kQueueFull,           // E4005
  kDraining,            // E4002
  kInternal,            // E4001
};

// A status with `code` as payload and the matching absl code. `message` may reach the client: it names fields, lengths
// and limits, never a text.
absl::Status MakeError(ErrorCode code, std::string_view message);

// kQueueFull with the time after which a caller should try again, from the measured drain rate; at least a second.
absl::Status MakeQueueFull(std::string_view message, std::chrono::seconds retry_after);

// The code of a status made above; kInternal for any other that is not OK. Requires !status.ok().
ErrorCode CodeOf(const absl::Status& status);

std::optional<std::chrono::seconds> RetryAfterOf(const absl::Status& status);

}  // namespace ks
