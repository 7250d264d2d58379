// Tested by ort_test.cc and onnx_backend_test.cc.
#include "backend/onnx/ort.h"

#include <cstdlib>
#include <string>

#include "base/mutex.h"
#include "base/status.h"

namespace ks {
namespace {

constexpr char kTelemetryVariable[] = "ORT_DISABLE_TELEMETRY";

const OrtApi* Api() {
  static const OrtApi* const api = OrtGetApiBase()->GetApi(ORT_API_VERSION);
  return api;
}

// The runtime has no code for memory that ran out; its allocators say it in these words.
bool IsOutOfMemory(std::string_view message) {
  for (const std::string_view words : {"bad_alloc", "Failed to allocate memory", "Out of memory", "out of memory"}) {
    if (message.find(words) != std::string_view::npos) return true;
  }
  return false;
}

absl::StatusCode CodeOf(OrtErrorCode code, std::string_view message) {
  if (IsOutOfMemory(message)) return absl::StatusCode::kResourceExhausted;
  switch (code) {
    case ORT_NO_SUCHFILE:
      return absl::StatusCode::kNotFound;
    case ORT_INVALID_PROTOBUF:
    case ORT_INVALID_GRAPH:
    case ORT_NO_MODEL:
      return absl::StatusCode::kDataLoss;
    default:
      return absl::StatusCode::kInternal;
  }
}

void DropMessage(void*, OrtLoggingLevel, const char*, const char*, const char*, const char*) {}

}  // namespace

const OrtApi& Ort() { return *Api(); }

absl::Status ToStatus(OrtStatus* status, std::string_view what) {
  if (status == nullptr) return absl::OkStatus();
  const std::string message = Ort().GetErrorMessage(status);
  const absl::StatusCode code = CodeOf(Ort().GetErrorCode(status), message);
  Ort().ReleaseStatus(status);
  return MakeStatus(code, what, ": ", message);
}

OrtStatus* FromStatus(const absl::Status& status) {
  if (status.ok()) return nullptr;
  return Ort().CreateStatus(ORT_FAIL, std::string(status.message()).c_str());
}

void DisableOrtTelemetry() {
  const char* value = std::getenv(kTelemetryVariable);
  if (value == nullptr || std::string_view(value) != "1") setenv(kTelemetryVariable, "1", /*overwrite=*/1);
}

absl::StatusOr<std::shared_ptr<OrtEnv>> AcquireOrtEnvironment() {
  static Mutex mutex;
  static std::weak_ptr<OrtEnv> current;
  MutexLock lock(mutex);
  if (std::shared_ptr<OrtEnv> env = current.lock()) return env;

  if (Api() == nullptr) {
    return FailedPrecondition("ONNX Runtime ", OrtGetApiBase()->GetVersionString(), " is too old, expected 1.",
                              ORT_API_VERSION, " or newer");
  }
  DisableOrtTelemetry();
  absl::StatusOr<OrtHandle<OrtEnv>> env = MakeOrt<OrtEnv>("ONNX Runtime's environment", [](OrtEnv** out) {
    return Ort().CreateEnvWithCustomLogger(DropMessage, nullptr, ORT_LOGGING_LEVEL_ERROR, "kubesentiment", out);
  });
  if (!env.ok()) return env.status();
  std::shared_ptr<OrtEnv> shared = *std::move(env);
  current = shared;
  return shared;
}

}  // namespace ks
