// The least that a process with ONNX Runtime can take to start: its environment and a session of one node, created as
// src/backend/onnx creates them (telemetry off, no log, level 0, one thread), then one byte to standard output. Linked
// as the program is. `kubesentiment bench --scenario coldstart` starts it beside the server.
#include <unistd.h>

#include <cstdlib>

#include "onnxruntime_c_api.h"

namespace {

// y = Identity(x) over float[1], as protobuf (onnx.proto; IR 9, opset 17).
constexpr unsigned char kModel[] = {
    0x08, 0x09, 0x42, 0x02, 0x10, 0x11, 0x3A, 0x37,                // ir_version, opset_import, graph
    0x0A, 0x10, 0x0A, 1,    'x',  0x12, 1,    'y',                 // node: input, output
    0x22, 8,    'I',  'd',  'e',  'n',  't',  'i',  't', 'y',      // node: op_type
    0x12, 1,    'g',                                               // name
    0x5A, 15,   0x0A, 1,    'x',  0x12, 10,   0x0A, 8,   0x08, 1,  // input: name, elem_type
    0x12, 4,    0x0A, 2,    0x08, 1,                               // input: shape
    0x62, 15,   0x0A, 1,    'y',  0x12, 10,   0x0A, 8,   0x08, 1,  // output: name, elem_type
    0x12, 4,    0x0A, 2,    0x08, 1};                              // output: shape

void DropMessage(void*, OrtLoggingLevel, const char*, const char*, const char*, const char*) {}

}  // namespace

int main() {
  setenv("ORT_DISABLE_TELEMETRY", "1", /*overwrite=*/1);
  const OrtApi* const ort = OrtGetApiBase()->GetApi(ORT_API_VERSION);
  if (ort == nullptr) return 1;
  OrtEnv* environment = nullptr;
  OrtSessionOptions* options = nullptr;
  OrtSession* session = nullptr;
  const bool created =
      ort->CreateEnvWithCustomLogger(DropMessage, nullptr, ORT_LOGGING_LEVEL_ERROR, "floor", &environment) == nullptr &&
      ort->CreateSessionOptions(&options) == nullptr &&
      ort->SetSessionGraphOptimizationLevel(options, ORT_DISABLE_ALL) == nullptr &&
      ort->SetIntraOpNumThreads(options, 1) == nullptr && ort->SetInterOpNumThreads(options, 1) == nullptr &&
      ort->CreateSessionFromArray(environment, kModel, sizeof(kModel), options, &session) == nullptr;
  if (!created || write(STDOUT_FILENO, "1", 1) != 1) return 1;
  return 0;
}
