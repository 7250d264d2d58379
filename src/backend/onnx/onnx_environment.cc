// Tested by onnx_environment_test.cc.
#include "backend/onnx/onnx_environment.h"

#include "backend/onnx/ort.h"
#include "base/code_pages.h"
#include "base/huge_pages.h"
#include "base/status_macros.h"

namespace ks {
namespace {

// y = Identity(x) over float[1], as protobuf (onnx.proto; IR 9, opset 17).
constexpr unsigned char kOneNode[] = {
    0x08, 0x09, 0x42, 0x02, 0x10, 0x11, 0x3A, 0x37,                           // ir_version, opset_import, graph
    0x0A, 0x10, 0x0A, 1,    'x',  0x12, 1,    'y',                            // node: input, output
    0x22, 8,    'I',  'd',  'e',  'n',  't',  'i',  't', 'y',  0x12, 1, 'g',  // node: op_type; name
    0x5A, 15,   0x0A, 1,    'x',  0x12, 10,   0x0A, 8,   0x08, 1,             // input: name, elem_type
    0x12, 4,    0x0A, 2,    0x08, 1,                                          // input: shape
    0x62, 15,   0x0A, 1,    'y',  0x12, 10,   0x0A, 8,   0x08, 1,             // output: name, elem_type
    0x12, 4,    0x0A, 2,    0x08, 1};                                         // output: shape

absl::Status RegisterKernels(OrtEnv* environment) {
  KS_ASSIGN_OR_RETURN(OrtHandle<OrtSessionOptions> options,
                      MakeOrt<OrtSessionOptions>(
                          "session options", [](OrtSessionOptions** out) { return Ort().CreateSessionOptions(out); }));
  KS_RETURN_IF_ERROR(ToStatus(Ort().SetSessionGraphOptimizationLevel(options.get(), ORT_DISABLE_ALL), "options"));
  KS_RETURN_IF_ERROR(ToStatus(Ort().SetIntraOpNumThreads(options.get(), 1), "options"));
  return MakeOrt<OrtSession>("one node",
                             [&](OrtSession** out) {
                               return Ort().CreateSessionFromArray(environment, kOneNode, sizeof(kOneNode),
                                                                   options.get(), out);
                             })
      .status();
}

}  // namespace

OnnxEnvironment::OnnxEnvironment() {
  DisableOrtTelemetry();
  thread_.emplace("onnx-env", [this] { Create(); });
}

void OnnxEnvironment::Create() {
  const PreferHugePages prefer_huge_pages;  // 8 MB in 177,000 pieces
  const TimePoint began = SystemClock().Now();
  absl::StatusOr<std::shared_ptr<OrtEnv>> environment = AcquireOrtEnvironment();
  const TimePoint created = SystemClock().Now();
  {
    MutexLock lock(mutex_);
    created_ = true;
    times_.environment = created - began;
  }
  changed_.NotifyAll();
  if (!environment.ok()) return;
  environment_ = *std::move(environment);
  if (!RegisterKernels(environment_.get()).ok()) return;
  MutexLock lock(mutex_);
  times_.kernels = SystemClock().Now() - created;
}

void OnnxEnvironment::Wait() {
  MutexLock lock(mutex_);
  while (!created_) changed_.Wait(mutex_);
}

OnnxEnvironment::Times OnnxEnvironment::Finish() {
  thread_->Join();
  MutexLock lock(mutex_);
  return times_;
}

void DropOnnxStartCode() { DropCodePages(reinterpret_cast<const void*>(&OrtGetApiBase)); }

}  // namespace ks
