// Writes lines to a descriptor from a thread of its own, so that nobody who logs ever waits for whoever reads the log.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/thread.h"

namespace ks {

// A queue bounded in bytes and the thread `ks-log` that empties it. A line that does not fit is dropped and counted,
// and so is every one after it until the thread takes the queue: what is written has its gaps in one place each, and
// there a line of `note` tells how many are missing. Lines are written whole and in the order of the calls.
//
// A line goes out at once, those of the next `rest` together at its end: under load a wake-up for every line would take
// a core from whoever computes, often in the middle of the call that logs.
class LineWriter {
 public:
  struct Options {
    size_t max_bytes = size_t{1} << 20;                     // waiting, beside as many that are being written
    Duration rest = std::chrono::milliseconds(10);          // after each write, unless the queue is half full
    Duration flush_limit = std::chrono::milliseconds(500);  // for the destructor, where nobody reads
  };
  // The line that stands for `dropped` missing ones, without its newline.
  using Note = std::function<std::string(int64_t dropped)>;

  // `fd` stays the caller's and must stay open. A pipe or a terminal is opened once more, so that writing to it never
  // blocks while the caller's own descriptor keeps its mode; where the system does not let us, a write of at most 4096
  // bytes is made once there is room for it, which can only block if another process fills the room first.
  LineWriter(int fd, Note note, Options options);
  // Writes what waits, for at most flush_limit, and joins the thread.
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // Queues `line` and a newline. Safe from any thread; never waits for the descriptor, allocates nothing once the queue
  // has had its size.
  void Write(std::string_view line) KS_EXCLUDES(mutex_);

  // Lines that were not written, over the writer's life: for lack of room, or because the descriptor failed.
  int64_t dropped() const KS_EXCLUDES(mutex_);

 private:
  void Run() KS_EXCLUDES(mutex_);
  // Waits for lines and moves them to `lines`, the note at their end; false when there are none left and it is time to
  // stop.
  bool Take(std::string& lines) KS_EXCLUDES(mutex_);
  // Gives up when the descriptor fails, or at the end of flush_limit; what is left is counted as dropped.
  void WriteAll(std::string_view lines) KS_EXCLUDES(mutex_);
  void Rest() KS_EXCLUDES(mutex_);
  bool IsUrgent() const KS_REQUIRES(mutex_) { return missing_ > 0 || waiting_.size() > options_.max_bytes / 2; }
  bool OutOfTime() const KS_EXCLUDES(mutex_);

  const int fd_;
  const Note note_;
  const Options options_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::string waiting_ KS_GUARDED_BY(mutex_);
  int64_t missing_ KS_GUARDED_BY(mutex_) = 0;  // dropped since waiting_ was last taken
  int64_t dropped_ KS_GUARDED_BY(mutex_) = 0;
  bool idle_ KS_GUARDED_BY(mutex_) = false;  // the thread waits for a line
  bool stopping_ KS_GUARDED_BY(mutex_) = false;
  TimePoint give_up_ KS_GUARDED_BY(mutex_);
  Thread thread_;  // last: it runs on all of the above
};

}  // namespace ks
