// Members watch a count of events: runs, and calls to be ready for one. A run ends with a meeting of all.
// Tested by team_test.cc, under ThreadSanitizer too.
#include "base/team.h"

#include <sched.h>
#include <unistd.h>

#include <chrono>
#include <string>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ks {
namespace {

using std::chrono::microseconds;
using SteadyClock = std::chrono::steady_clock;

// Of members between two runs: the gap between two nodes of a graph, or the way of an answer to its client and of the next
// question back. Waking a member that sleeps takes some fifty microseconds of a virtual machine.
constexpr microseconds kIdle(300);
// Of members in a meeting: as unequal as their shares get. Who waits longer sleeps, so that a member that the system took
// off its core may have this one. Not yielding: that gives away the rest of a time slice, of which a run rarely needs more
// than one.
constexpr microseconds kMeeting(150);
constexpr int kLooksPerTime = 32;  // a look costs about 20 ns, asking for the time as much

void Relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

// A core asks for no more than some dozen lines at a time: with few of them between two looks no look comes late.
void FetchSome(Soon& soon) {
  constexpr int kLines = 4, kLine = 64;
  for (int line = 0; line < kLines && soon.next < soon.end; ++line, soon.next += kLine) {
    __builtin_prefetch(soon.next, 0, 2);  // the second level: the first is too small for what a run reads
  }
}

// Returns once `count` is no longer `old`, asleep after `patience`.
void Await(const std::atomic<uint32_t>& count, uint32_t old, microseconds patience, Soon& soon) {
  const SteadyClock::time_point start = SteadyClock::now();
  do {
    for (int i = 0; i < kLooksPerTime; ++i) {
      if (count.load(std::memory_order_acquire) != old) return;
      soon.next < soon.end ? FetchSome(soon) : Relax();
    }
  } while (SteadyClock::now() - start < patience);
  count.wait(old, std::memory_order_acquire);
}

}  // namespace

Team::Team(int size) : size_(size), tids_(static_cast<size_t>(size)) {
  try {
    for (int member = 1; member < size; ++member) {
      threads_.push_back(std::make_unique<Thread>("team-" + std::to_string(member), [this, member] { Work(member); }));
    }
  } catch (...) {
    End();  // of those that there are
    throw;
  }
}

Team::~Team() { End(); }

void Team::End() {
  call_ = nullptr;
  runs_.fetch_add(1, std::memory_order_release);
  Rouse();
}

void Team::Rouse() {
  if (size_ == 1) return;
  events_.fetch_add(1, std::memory_order_release);
  events_.notify_all();
}

// Member i has the i-th of the caller's cores after the one that it is on. A core that is taken from the process later
// costs nothing but the advantage: the kernel then lets the member run anywhere.
void Team::Spread() {
  const int core = sched_getcpu();
  if (core == caller_core_ || core < 0) return;
  caller_core_ = core;
  cpu_set_t usable;
  if (sched_getaffinity(0, sizeof(usable), &usable) != 0 || CPU_COUNT(&usable) < size_) return;
  int next = core;
  for (int member = 1; member < size_; ++member) {
    do next = (next + 1) % CPU_SETSIZE;
    while (!CPU_ISSET(static_cast<size_t>(next), &usable));
    const int tid = tids_[static_cast<size_t>(member)].load(std::memory_order_relaxed);
    if (tid == 0) {
      caller_core_ = -1;  // once more at the next run
      continue;
    }
    cpu_set_t own;
    CPU_ZERO(&own);
    CPU_SET(static_cast<size_t>(next), &own);
    sched_setaffinity(tid, sizeof(own), &own);
  }
}

void Team::Start(Call call, const void* body) {
  Spread();
  call_ = call;
  body_ = body;
  runs_.fetch_add(1, std::memory_order_release);
  Rouse();
  call(body, 0);
  Meet();
}

void Team::Work(int member) {
  tids_[static_cast<size_t>(member)].store(gettid(), std::memory_order_relaxed);
  uint32_t event = 0;
  Soon nothing;
  for (uint32_t runs = 0;;) {
    Await(events_, event, kIdle, nothing);
    event = events_.load(std::memory_order_acquire);
    if (runs_.load(std::memory_order_acquire) == runs) continue;
    ++runs;  // there is no next one before this member is done
    if (call_ == nullptr) return;
    call_(body_, member);
    Meet();
  }
}

void Team::Meet(Soon& soon) {
  if (size_ == 1) return;
  // No meeting ends before this member has arrived, so the number is that of this one.
  const uint32_t meeting = meetings_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 < size_) return Await(meetings_, meeting, kMeeting, soon);
  arrived_.store(0, std::memory_order_relaxed);
  meetings_.store(meeting + 1, std::memory_order_release);
  meetings_.notify_all();
}

}  // namespace ks
