// Ctrl-C for work that has something to clean up.
#pragma once

namespace ks {

// While it lives, SIGINT, SIGTERM and SIGHUP set a flag instead of ending the process, once: a second one ends it. They
// arrive at the thread that made the object and interrupt its blocking reads; threads that are started between Block
// and the constructor never see them. One object at a time.
class InterruptFlag {
 public:
  // Keeps those signals from the calling thread, and from threads that it starts, until an InterruptFlag is made.
  static void Block();

  InterruptFlag();
  ~InterruptFlag();
  InterruptFlag(const InterruptFlag&) = delete;
  InterruptFlag& operator=(const InterruptFlag&) = delete;

  bool raised() const;

  // Ends the process as the signal would have: a shell sees that it was interrupted. Requires raised(). Destroy what is
  // to be cleaned up before.
  [[noreturn]] void EndProcess() const;
};

}  // namespace ks
