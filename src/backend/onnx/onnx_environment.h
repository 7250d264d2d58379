// What ONNX Runtime makes once for each process, made ahead: half of a start, and it needs no model.
#pragma once

#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/thread.h"

struct OrtEnv;

namespace ks {

// On the thread `onnx-env` it creates the environment that all sessions of the process share, and keeps it: about 11 ms,
// in which its owner can read settings and files. Then it opens a session of one node, for which the runtime registers its
// kernels: 4 ms more, that a session which is opened meanwhile needs only once its own graph is read. An error is told by
// that session, which tries again.
class OnnxEnvironment {
 public:
  struct Times {
    Duration environment{0};
    Duration kernels{0};
  };

  // Sets ORT_DISABLE_TELEMETRY (backend/onnx/ort.h), so no other thread may call getenv meanwhile: make one before the
  // program's first thread.
  OnnxEnvironment();

  // Blocks until the environment is there, or has failed to come.
  void Wait() KS_EXCLUDES(mutex_);

  // How long both took. Blocks until they are done.
  Times Finish() KS_EXCLUDES(mutex_);

 private:
  void Create() KS_EXCLUDES(mutex_);

  Mutex mutex_;
  CondVar changed_;
  bool created_ KS_GUARDED_BY(mutex_) = false;
  Times times_ KS_GUARDED_BY(mutex_);
  std::shared_ptr<OrtEnv> environment_;  // the thread's
  std::optional<Thread> thread_;         // last: it runs on all of the above
};

// Once all sessions are open: what of the runtime's code only opening needs leaves this process' memory, 9 MB of 13
// (base/code_pages.h).
void DropOnnxStartCode();

}  // namespace ks
