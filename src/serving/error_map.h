// What each error becomes on the wire: one table for every protocol, compared with docs/errors.md by a test.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "engine/error.h"

namespace ks {

// The engine's errors and those that only a transport can have.
enum class WireError {
  kBadBody,
  kInvalidInput,
  kTextTooLong,
  kTextEmpty,
  kBatchTooBig,
  kBatchEmpty,
  kUnknownPrediction,
  kModelNotLoaded,
  kInferenceFailed,
  kDeadlinePassed,
  kUnsupportedBackend,
  kUnauthorised,
  kInternal,
  kDraining,
  kNotFound,
  kQueueFull,
  kMethodNotAllowed,
  kRequestTimeout,
  kAbandoned,
  kBodyTooLarge,
  kUnsupportedMediaType,
  kHeaderTooLarge,
};

struct WireErrorRow {
  WireError error;
  std::string_view code;  // "E1001"
  int http_status;
  std::string_view meaning;  // a few words, the same in docs/errors.md
};

// All rows, in the order of the enumeration.
std::span<const WireErrorRow> WireErrors();
const WireErrorRow& RowOf(WireError error);
WireError WireErrorOf(ErrorCode code);

// An error on its way to a client.
struct Problem {
  WireError error;
  std::string message;                              // for the client: names fields, lengths and limits, never a text
  std::optional<std::chrono::seconds> retry_after;  // with kQueueFull
  std::string log_message;                          // for the log alone: what our own failure looks like from inside
};

// The problem that a status of the engine is. Failures of ours (kInternal, kInferenceFailed) keep their text for the
// log and tell the client no more than that they happened. Requires !status.ok().
Problem ProblemOf(const absl::Status& status);

}  // namespace ks
