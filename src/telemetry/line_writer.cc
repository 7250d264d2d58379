// Two strings of bounded size that swap roles: one collects lines while the thread writes the other. Tested by
// line_writer_test.cc.
#include "telemetry/line_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/strings.h"

namespace ks {
namespace {

// Up to here a write to a pipe is atomic: lines of several processes do not mix.
constexpr size_t kMostBytesAtOnce = 4096;
// A descriptor without room is looked at this often for the end of flush_limit.
constexpr Duration kBetweenLooks = std::chrono::milliseconds(20);

// The descriptor to write to: one of our own that never blocks where `fd` is a pipe or a terminal, otherwise a copy.
// O_NONBLOCK on `fd` itself would reach every process that shares it, our parent's shell for one.
int OpenForWriting(int fd) {
  struct stat status = {};
  if (fstat(fd, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode))) {
    const int own = open(Cat("/proc/self/fd/", fd).c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (own >= 0) return own;
  }
  return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

// The first piece of `lines` to write: whole lines where the first fits.
std::string_view FirstPiece(std::string_view lines) {
  if (lines.size() <= kMostBytesAtOnce) return lines;
  const std::string_view piece = lines.substr(0, kMostBytesAtOnce);
  const size_t last_end = piece.rfind('\n');
  return last_end == std::string_view::npos ? piece : piece.substr(0, last_end + 1);
}

bool WaitForRoom(int fd, Duration limit) {
  pollfd waited = {.fd = fd, .events = POLLOUT, .revents = 0};
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
  return poll(&waited, 1, static_cast<int>(milliseconds)) > 0;
}

}  // namespace

LineWriter::LineWriter(int fd, Note note, Options options)
    : fd_(OpenForWriting(fd)), note_(std::move(note)), options_(options), thread_("ks-log", [this] { Run(); }) {}

LineWriter::~LineWriter() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    give_up_ = SystemClock().Now() + options_.flush_limit;
  }
  changed_.NotifyAll();
  thread_.Join();
  if (fd_ >= 0) close(fd_);
}

void LineWriter::Write(std::string_view line) {
  bool is_awaited = false;
  {
    MutexLock lock(mutex_);
    if (missing_ > 0 || waiting_.size() + line.size() + 1 > options_.max_bytes) {
      ++missing_;
      ++dropped_;
    } else {
      waiting_.append(line);
      waiting_.push_back('\n');
    }
    is_awaited = idle_ || IsUrgent();
  }
  if (is_awaited) changed_.NotifyOne();
}

int64_t LineWriter::dropped() const {
  MutexLock lock(mutex_);
  return dropped_;
}

void LineWriter::Run() {
  std::string lines;
  while (Take(lines)) {
    WriteAll(lines);
    Rest();
  }
}

bool LineWriter::Take(std::string& lines) {
  int64_t missing = 0;
  lines.clear();
  {
    MutexLock lock(mutex_);
    idle_ = true;
    while (waiting_.empty() && missing_ == 0 && !stopping_) changed_.Wait(mutex_);
    idle_ = false;
    if (waiting_.empty() && missing_ == 0) return false;
    lines.swap(waiting_);
    missing = std::exchange(missing_, 0);
  }
  if (missing > 0) {
    lines += note_(missing);
    lines += '\n';
  }
  return true;
}

void LineWriter::WriteAll(std::string_view lines) {
  while (!lines.empty() && !OutOfTime()) {
    if (fd_ >= 0 && !WaitForRoom(fd_, kBetweenLooks)) continue;
    const std::string_view piece = FirstPiece(lines);
    const ssize_t written = write(fd_, piece.data(), piece.size());
    if (written >= 0) {
      lines.remove_prefix(static_cast<size_t>(written));
    } else if (errno != EAGAIN && errno != EINTR) {
      break;
    }
  }
  const auto unwritten = std::count(lines.begin(), lines.end(), '\n');
  MutexLock lock(mutex_);
  dropped_ += unwritten;
}

void LineWriter::Rest() {
  const TimePoint end = SystemClock().Now() + options_.rest;
  MutexLock lock(mutex_);
  while (!stopping_ && !IsUrgent()) {
    const TimePoint now = SystemClock().Now();
    if (now >= end) return;
    changed_.WaitFor(mutex_, end - now);
  }
}

bool LineWriter::OutOfTime() const {
  MutexLock lock(mutex_);
  return stopping_ && SystemClock().Now() >= give_up_;
}

}  // namespace ks
