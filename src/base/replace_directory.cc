// The staging directory is locked (flock on the directory itself) while its writer lives; the kernel drops the lock
// with the process. So an unlocked one has no writer, and the next may remove it. Two races are closed: a new directory
// is removed by another writer before it is locked (its maker then finds it gone and makes another), and a directory is
// put in place while a cleaner looks (the lock is held until after the rename, when it no longer has a staging name).
// Tested by replace_directory_test.cc, which kills a writer at each of its steps.
#include "base/replace_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/status_macros.h"
#include "base/uuid.h"

namespace ks {
namespace {

namespace fs = std::filesystem;

constexpr size_t kSuffixLength = 6;
constexpr int kAttempts = 100;

// glibc wraps renameat2 since 2.28 only; the system call is older than that.
int SystemRename(const char* from, const char* to, unsigned flags) {
  return static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags));
}
constexpr unsigned kNoReplace = 1;  // RENAME_NOREPLACE
constexpr unsigned kExchange = 2;   // RENAME_EXCHANGE

// What a kernel or a file system says that does not know the flag.
bool IsUnsupported(int error) { return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP; }

std::string StagingPrefix(const fs::path& target) { return Cat(".", target.filename().string(), ".staging-"); }

absl::Status SyncDirectory(const fs::path& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, path.string());
  // EINVAL: a file system that cannot flush a directory by itself; its rename is then as safe as it can be.
  const bool failed = fsync(fd) != 0 && errno != EINVAL;
  const int error = errno;
  close(fd);
  return failed ? ErrnoStatus(error, path.string()) : absl::OkStatus();
}

// Removes `path` if it belongs to this user and no writer holds it.
void RemoveIfAbandoned(const fs::path& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return;
  struct stat info;
  if (fstat(fd, &info) == 0 && info.st_uid == geteuid() && flock(fd, LOCK_EX | LOCK_NB) == 0) {
    std::error_code ignored;  // another writer may be removing it as well
    fs::remove_all(path, ignored);
  }
  close(fd);
}

void RemoveAbandoned(const fs::path& target) {
  const std::string prefix = StagingPrefix(target);
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(target.parent_path(), error)) {
    const std::string name = entry.path().filename().string();
    if (name.size() == prefix.size() + kSuffixLength && name.starts_with(prefix)) RemoveIfAbandoned(entry.path());
  }
}

// The target with links followed, as an absolute path with a name at its end.
absl::StatusOr<fs::path> ResolveTarget(const fs::path& target) {
  std::error_code error;
  fs::path resolved = fs::weakly_canonical(fs::absolute(target, error), error);
  if (error) return ErrnoStatus(error.value(), target.string());
  if (!resolved.has_filename()) resolved = resolved.parent_path();  // "models/x/"
  if (!resolved.has_filename()) return InvalidArgument(target.string(), ": expected a directory with a name");
  return resolved;
}

absl::Status CheckTarget(const fs::path& target, bool replace) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(target, error);
  if (!fs::exists(status)) return absl::OkStatus();
  if (!replace) return MakeStatus(absl::StatusCode::kAlreadyExists, target.string(), ": exists already");
  if (fs::is_directory(status)) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kAlreadyExists, target.string(), ": exists and is not a directory");
}

}  // namespace

StagedFile::StagedFile(int fd, std::string name, fs::path path, const StepObserver& on_step)
    : fd_(fd), name_(std::move(name)), path_(std::move(path)), on_step_(on_step) {}

StagedFile::StagedFile(StagedFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      name_(std::move(other.name_)),
      path_(std::move(other.path_)),
      on_step_(std::move(other.on_step_)) {}

StagedFile::~StagedFile() {
  if (fd_ >= 0) close(fd_);
}

absl::Status StagedFile::Write(std::span<const std::byte> bytes) {
  if (on_step_) on_step_("before", Cat("write ", name_));
  while (!bytes.empty()) {
    const ssize_t count = write(fd_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoStatus(errno, path_.string());
    bytes = bytes.subspan(static_cast<size_t>(count));
  }
  if (on_step_) on_step_("after", Cat("write ", name_));
  return absl::OkStatus();
}

absl::Status StagedFile::Finish() {
  if (on_step_) on_step_("before", Cat("sync ", name_));
  if (fsync(fd_) != 0) return ErrnoStatus(errno, path_.string());
  // Some file systems report a full disk only here.
  if (close(std::exchange(fd_, -1)) != 0) return ErrnoStatus(errno, path_.string());
  if (on_step_) on_step_("after", Cat("sync ", name_));
  return absl::OkStatus();
}

StagedDirectory::StagedDirectory(fs::path target, StagingOptions options)
    : target_(std::move(target)), options_(std::move(options)) {
  if (!options_.rename) options_.rename = SystemRename;
}

StagedDirectory::StagedDirectory(StagedDirectory&& other) noexcept
    : target_(std::move(other.target_)),
      path_(std::exchange(other.path_, {})),
      options_(std::move(other.options_)),
      lock_fd_(std::exchange(other.lock_fd_, -1)) {}

StagedDirectory::~StagedDirectory() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
  if (lock_fd_ >= 0) close(lock_fd_);
}

void StagedDirectory::Step(std::string_view when, std::string_view step) const {
  if (options_.on_step) options_.on_step(when, step);
}

absl::StatusOr<StagedDirectory> StagedDirectory::Create(const fs::path& target, StagingOptions options) {
  KS_ASSIGN_OR_RETURN(const fs::path resolved, ResolveTarget(target));
  KS_RETURN_IF_ERROR(CheckTarget(resolved, options.replace));
  RemoveAbandoned(resolved);
  StagedDirectory staged(resolved, std::move(options));
  KS_RETURN_IF_ERROR(staged.MakeLocked());
  return staged;
}

absl::Status StagedDirectory::MakeLocked() {
  const fs::path parent = target_.parent_path();
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const fs::path path = parent / (StagingPrefix(target_) + NewUuid4().substr(0, kSuffixLength));
    Step("before", "make directory");
    if (mkdir(path.c_str(), 0777) != 0) {
      if (errno == EEXIST) continue;
      return ErrnoStatus(errno, Cat(parent.string(), ": cannot make a directory for ", target_.filename().string()));
    }
    Step("after", "make directory");
    const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) continue;
    if (fd < 0) return ErrnoStatus(errno, path.string());
    // A file system without locks refuses them to a cleaner as well, so that the directory stays.
    const bool taken = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    struct stat info;
    if (taken || fstat(fd, &info) != 0 || info.st_nlink == 0) {
      close(fd);
      continue;
    }
    path_ = path;
    lock_fd_ = fd;
    return absl::OkStatus();
  }
  return Internal(parent.string(), ": other writers removed ", kAttempts, " staging directories in a row");
}

absl::StatusOr<StagedFile> StagedDirectory::CreateFile(std::string_view name) {
  const fs::path path = path_ / name;
  Step("before", Cat("create ", name));
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return ErrnoStatus(errno, path.string());
  Step("after", Cat("create ", name));
  return StagedFile(fd, std::string(name), path, options_.on_step);
}

absl::Status StagedDirectory::Rename() {
  std::error_code ignored;
  const bool exchange = options_.replace && fs::exists(target_, ignored);
  if (options_.rename(path_.c_str(), target_.c_str(), exchange ? kExchange : kNoReplace) == 0) {
    // What was at the target now has the staging name; it is the new directory that holds the lock.
    if (!exchange) path_.clear();
    return absl::OkStatus();
  }
  int error = errno;
  if (exchange && (IsUnsupported(error) || error == EXDEV)) {
    return FailedPrecondition(target_.string(), ": this file system cannot exchange two directories in one step (",
                              ToStd(ErrnoStatus(error, "renameat2").message()),
                              "); remove it first, or write to another place");
  }
  if (!exchange && IsUnsupported(error)) {
    // A plain rename is as safe: of all that may be there it replaces an empty directory only.
    if (options_.rename(path_.c_str(), target_.c_str(), 0) == 0) {
      path_.clear();
      return absl::OkStatus();
    }
    error = errno;
  }
  return ErrnoStatus(error, target_.string());
}

absl::Status StagedDirectory::Publish() {
  Step("before", "sync directory");
  KS_RETURN_IF_ERROR(SyncDirectory(path_));
  Step("after", "sync directory");
  Step("before", "rename");
  KS_RETURN_IF_ERROR(Rename());
  Step("after", "rename");
  Step("before", "sync parent");
  const absl::Status synced = SyncDirectory(target_.parent_path());
  Step("after", "sync parent");
  if (!path_.empty()) {
    Step("before", "remove the old");
    std::error_code error;
    fs::remove_all(path_, error);
    if (!error) path_.clear();  // otherwise the destructor tries again, and after it the next writer
    Step("after", "remove the old");
  }
  return synced;
}

}  // namespace ks
