// std::mutex with Clang's thread-safety annotations: members say which mutex guards them and the tidy and sanitizer
// lanes hold every access to it. (absl::Mutex is uninstrumented in Debian's build and gives ThreadSanitizer false
// races.)
#pragma once

#include <condition_variable>
#include <mutex>

#include "base/clock.h"

#if defined(__clang__)
#define KS_ANNOTATION(x) __attribute__((x))
#else
#define KS_ANNOTATION(x)
#endif
#define KS_CAPABILITY KS_ANNOTATION(capability("mutex"))
#define KS_SCOPED_CAPABILITY KS_ANNOTATION(scoped_lockable)
#define KS_GUARDED_BY(mutex) KS_ANNOTATION(guarded_by(mutex))
#define KS_REQUIRES(...) KS_ANNOTATION(requires_capability(__VA_ARGS__))
#define KS_EXCLUDES(...) KS_ANNOTATION(locks_excluded(__VA_ARGS__))
#define KS_ACQUIRE(...) KS_ANNOTATION(acquire_capability(__VA_ARGS__))
#define KS_RELEASE(...) KS_ANNOTATION(release_capability(__VA_ARGS__))

namespace ks {

class KS_CAPABILITY Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() KS_ACQUIRE() { mutex_.lock(); }
  void Unlock() KS_RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class KS_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) KS_ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~MutexLock() KS_RELEASE() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Wakes spuriously like any condition variable: wait in a loop over the condition.
class CondVar {
 public:
  void Wait(Mutex& mutex) KS_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // Returns at the latest after `timeout` of real time.
  void WaitFor(Mutex& mutex, Duration timeout) KS_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait_for(lock, timeout);
    lock.release();
  }
  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace ks
