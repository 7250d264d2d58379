// Tested by output_file_test.cc.
#include "cli/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/status_macros.h"

namespace ks {
namespace {

constexpr size_t kBufferBytes = 64 << 10;

// What open(2) would have given a new file: mkstemp makes it private.
mode_t DefaultMode() {
  const mode_t mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

}  // namespace

absl::StatusOr<std::unique_ptr<OutputFile>> OutputFile::Open(const std::string& path) {
  if (path == "-") return std::unique_ptr<OutputFile>(new OutputFile(STDOUT_FILENO, "standard output", ""));
  struct stat info = {};
  const bool exists = stat(path.c_str(), &info) == 0;
  if (exists && !S_ISREG(info.st_mode)) {
    // A device or a pipe (/dev/null, /dev/stdout) cannot be replaced; it is written as it is.
    const int fd = S_ISDIR(info.st_mode) ? -1 : open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return ErrnoStatus(S_ISDIR(info.st_mode) ? EISDIR : errno, path);
    return std::unique_ptr<OutputFile>(new OutputFile(fd, path, ""));
  }
  std::string temporary = path + ".XXXXXX";
  const int fd = mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, path);
  fchmod(fd, exists ? info.st_mode & 07777 : DefaultMode());
  return std::unique_ptr<OutputFile>(new OutputFile(fd, path, std::move(temporary)));
}

OutputFile::~OutputFile() {
  if (fd_ >= 0 && fd_ != STDOUT_FILENO) close(fd_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

absl::Status OutputFile::Write(std::string_view bytes) {
  buffer_ += bytes;
  return buffer_.size() < kBufferBytes ? absl::OkStatus() : Flush();
}

absl::Status OutputFile::Flush() {
  size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t count = write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EPIPE)
      return MakeStatus(absl::StatusCode::kCancelled, path_, ": nobody reads it any more");
    if (count < 0) return ErrnoStatus(errno, path_);
    done += static_cast<size_t>(count);
  }
  buffer_.clear();
  return absl::OkStatus();
}

absl::Status OutputFile::Commit() {
  KS_RETURN_IF_ERROR(Flush());
  if (temporary_.empty()) return absl::OkStatus();
  // Without this a crash of the machine could leave the new name with no content.
  if (fsync(fd_) != 0) return ErrnoStatus(errno, path_);
  const int fd = std::exchange(fd_, -1);
  if (close(fd) != 0) return ErrnoStatus(errno, path_);
  if (rename(temporary_.c_str(), path_.c_str()) != 0) return ErrnoStatus(errno, path_);
  temporary_.clear();
  return absl::OkStatus();
}

absl::Status WriteOutputFile(const std::string& path, std::string_view bytes) {
  KS_ASSIGN_OR_RETURN(const std::unique_ptr<OutputFile> file, OutputFile::Open(path));
  KS_RETURN_IF_ERROR(file->Write(bytes));
  return file->Commit();
}

}  // namespace ks
