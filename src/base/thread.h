// A thread with a name that its owner joins.
#pragma once

#include <functional>
#include <string>
#include <thread>

namespace ks {

// Runs `body` on a new thread called `name` (at most 15 characters reach the kernel: ps, gdb and perf show them).
// The destructor joins: the owner must have told the body to return before. Not copied, not moved.
class Thread {
 public:
  Thread(std::string name, std::function<void()> body);
  ~Thread() { Join(); }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  // Blocks until the body has returned. Further calls return at once.
  void Join();

 private:
  std::thread thread_;
};

// From now on the calling thread runs only while no other wants its core (SCHED_IDLE; the lowest nice value where the
// kernel refuses that). There may be no way back, and whoever waits for a lock that such a thread holds waits as long
// as the machine is busy.
void RunOnlyWhenIdle();

}  // namespace ks
