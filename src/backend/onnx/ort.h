// ONNX Runtime's C API behind owned handles and absl::Status. Private to backend/onnx.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "onnxruntime_c_api.h"

namespace ks {

// The table of functions; valid once AcquireOrtEnvironment has succeeded.
const OrtApi& Ort();

// Takes ownership of what a call returned. OK for null; otherwise the runtime's text behind `what` and ": ", and
// kResourceExhausted where memory ran out, kNotFound for a missing file, kDataLoss for a file that is not a sound
// model, kInternal for the rest.
absl::Status ToStatus(OrtStatus* status, std::string_view what);

// An error of ours on its way through the runtime, which keeps only the text; null for OK.
OrtStatus* FromStatus(const absl::Status& status);

struct OrtDeleter {
  void operator()(OrtEnv* env) const { Ort().ReleaseEnv(env); }
  void operator()(OrtSession* session) const { Ort().ReleaseSession(session); }
  void operator()(OrtSessionOptions* options) const { Ort().ReleaseSessionOptions(options); }
  void operator()(OrtValue* value) const { Ort().ReleaseValue(value); }
  void operator()(OrtMemoryInfo* info) const { Ort().ReleaseMemoryInfo(info); }
  void operator()(OrtTensorTypeAndShapeInfo* info) const { Ort().ReleaseTensorTypeAndShapeInfo(info); }
  void operator()(OrtCustomOpDomain* domain) const { Ort().ReleaseCustomOpDomain(domain); }
};
template <typename T>
using OrtHandle = std::unique_ptr<T, OrtDeleter>;

// Calls create(&object) and owns the object: MakeOrt<OrtValue>("...", [&](OrtValue** out) { return
// Ort().Create...(out); }).
template <typename T, typename Create>
absl::StatusOr<OrtHandle<T>> MakeOrt(std::string_view what, Create&& create) {
  T* object = nullptr;
  if (absl::Status status = ToStatus(std::forward<Create>(create)(&object), what); !status.ok()) return status;
  return OrtHandle<T>(object);
}

// Sets ORT_DISABLE_TELEMETRY=1, where it is not set yet: official builds otherwise write to the home directory and start
// threads. Like every setenv this must not meet a getenv on another thread; a program that makes an OnnxEnvironment before
// its first thread, or sets the variable itself, is safe.
void DisableOrtTelemetry();

// The one environment of the process: created when the first owner asks (about 14 ms: every operator's schema is
// registered), released with the last one. Errors come back as statuses alone: the runtime logs nothing.
//
// Calls DisableOrtTelemetry before.
//
// Errors: kFailedPrecondition where the library found at run time is older than the headers; kInternal.
absl::StatusOr<std::shared_ptr<OrtEnv>> AcquireOrtEnvironment();

}  // namespace ks
