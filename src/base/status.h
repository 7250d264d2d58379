// Errors as values: absl::Status made from pieces, and the message of one put into the context of its caller.
//
// The code says what the caller should do next:
//   kInvalidArgument     the caller's input or usage is wrong: change it
//   kNotFound            a file or a thing inside one is not there
//   kDataLoss            a file is damaged, truncated, or contradicts itself
//   kFailedPrecondition  the input is sound but this program cannot take it (unsupported model type, format version)
//   kPermissionDenied    the operating system refuses
//   kAlreadyExists       the target is there and may not be replaced
//   kResourceExhausted   a limit is reached (queue, disk, memory): later, or with less
//   kDeadlineExceeded, kUnavailable, kCancelled   as usual
//   kInternal            our bug, or a library's
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/strings.h"

namespace ks {

template <typename... Pieces>
absl::Status MakeStatus(absl::StatusCode code, const Pieces&... pieces) {
  return absl::Status(code, Cat(pieces...));
}
template <typename... Pieces>
absl::Status InvalidArgument(const Pieces&... pieces) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, pieces...);
}
template <typename... Pieces>
absl::Status NotFound(const Pieces&... pieces) {
  return MakeStatus(absl::StatusCode::kNotFound, pieces...);
}
template <typename... Pieces>
absl::Status DataLoss(const Pieces&... pieces) {
  return MakeStatus(absl::StatusCode::kDataLoss, pieces...);
}
template <typename... Pieces>
absl::Status FailedPrecondition(const Pieces&... pieces) {
  return MakeStatus(absl::StatusCode::kFailedPrecondition, pieces...);
}
template <typename... Pieces>
absl::Status ResourceExhausted(const Pieces&... pieces) {
  return MakeStatus(absl::StatusCode::kResourceExhausted, pieces...);
}
template <typename... Pieces>
absl::Status Internal(const Pieces&... pieces) {
  return MakeStatus(absl::StatusCode::kInternal, pieces...);
}

// The status of the system call that just failed with `error` (an errno), e.g. "models/x/config.json: No such file or
// directory". Missing files are kNotFound, refused ones kPermissionDenied, a full disk or memory kResourceExhausted,
// the rest kInternal.
absl::Status ErrnoStatus(int error, std::string_view what);

// Puts `context` and ": " before the message; an OK status stays as it is. Payloads are kept.
absl::Status WithContext(const absl::Status& status, std::string_view context);

// The same message and payloads under another code: a reader of packages says kDataLoss where the JSON reader below it
// said kInvalidArgument. An OK status stays as it is.
absl::Status WithCode(const absl::Status& status, absl::StatusCode code);

}  // namespace ks
