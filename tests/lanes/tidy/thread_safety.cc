// Planted: reads a guarded member without its mutex. Under clang, the misuse must not compile.
// expect: reading variable 'value_' requires holding mutex
#include "base/mutex.h"

namespace ks {

class Counter {
 public:
  int Read() const {
#ifndef KS_MISUSE
    const MutexLock lock(mutex_);
#endif
    return value_;
  }

 private:
  mutable Mutex mutex_;
  int value_ KS_GUARDED_BY(mutex_) = 0;
};

int ReadOnce() { return Counter().Read(); }

}  // namespace ks
