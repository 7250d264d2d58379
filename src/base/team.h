// Threads that work on one thing at the same time, close enough to meet several times within a millisecond.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/thread.h"

namespace ks {

// Memory that will be read soon, of which `next` is the first byte not yet asked for.
struct Soon {
  const char* next = nullptr;
  const char* end = nullptr;
};

// The caller of Run and size() - 1 threads of the object's own, "team-1", "team-2", .. A parallel loop
// (parallel_for.h) may run its tasks one after another; here all members run at once, so they may wait for each other.
//
// Between runs a member looks for the next one for some hundred microseconds, then sleeps: an idle team uses no CPU.
// Who waits in Meet looks for some hundred microseconds, then sleeps: a member that the system has taken off its core
// costs time, not the others' cores.
//
// Each member is kept on a core of its own, away from the caller's, where the caller may use so many: the system likes to
// wake a thread on its waker's core, and two members on one core wait for each other at every meeting.
class Team {
 public:
  // Requires size >= 1. Throws std::system_error where the system gives no more threads.
  explicit Team(int size);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return size_; }

  // Calls body(member) once for each member in [0, size()), 0 on the calling thread, all at the same time, and returns
  // when all have returned. What was written before is seen by all, what they write is seen after. Waking members that
  // sleep takes some tens of microseconds.
  //
  // One call at a time, except that a team of one is nothing but body(0), for any number of callers. `body` must not
  // throw and must not call Run.
  template <typename Body>
  void Run(const Body& body) {
    if (size_ == 1) return body(0);
    Start([](const void* data, int member) { (*static_cast<const Body*>(data))(member); }, &body);
  }

  // Says that a run is near: members that sleep are awake when it comes. Costs the caller some microseconds where they
  // sleep, and nothing comes of it where no run follows. Not inside Run.
  void Rouse();

  // Inside Run, called by every member equally often: returns once all have called it. What any member wrote before is
  // seen by all after. Costs some hundred nanoseconds where all arrive together. Who waits has `soon` fetched into its
  // own core's cache meanwhile, as much of it as there is time for; what was asked for is taken off.
  void Meet(Soon& soon);
  void Meet() {
    Soon nothing;
    Meet(nothing);
  }

 private:
  using Call = void (*)(const void* body, int member);

  void Spread();
  void Start(Call call, const void* body);
  void Work(int member);
  void End();

  const int size_;
  Call call_ = nullptr;  // of the current run; null ends the threads
  const void* body_ = nullptr;
  // Each on a line of its own: one is written by all who arrive, the others are watched by all who wait.
  alignas(64) std::atomic<uint32_t> events_ = 0;
  std::atomic<uint32_t> runs_ = 0;
  alignas(64) std::atomic<int> arrived_ = 0;
  alignas(64) std::atomic<uint32_t> meetings_ = 0;
  int caller_core_ = -1;                // that the members are spread around
  std::vector<std::atomic<int>> tids_;  // by member; 0 for one that does not run yet
  std::vector<std::unique_ptr<Thread>> threads_;
};

}  // namespace ks
