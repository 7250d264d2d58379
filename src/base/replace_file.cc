// Tested by replace_file_test.cc.
#include "base/replace_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/status.h"

namespace ks {
namespace {

// 0, or errno. The file is closed either way.
int WriteAndClose(int fd, std::string_view bytes) {
  int error = 0;
  while (!bytes.empty() && error == 0) {
    const ssize_t count = write(fd, bytes.data(), bytes.size());
    if (count >= 0) {
      bytes.remove_prefix(static_cast<size_t>(count));
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  // Without this a crash of the machine could leave the new name with no content.
  if (error == 0 && fsync(fd) != 0) error = errno;
  if (close(fd) != 0 && error == 0) error = errno;
  return error;
}

}  // namespace

absl::Status ReplaceFile(const std::filesystem::path& path, std::string_view bytes) {
  const std::string staged = path.string() + ".staging";
  const int fd = open(staged.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return ErrnoStatus(errno, path.string());
  int error = WriteAndClose(fd, bytes);
  if (error == 0 && rename(staged.c_str(), path.c_str()) != 0) error = errno;
  if (error == 0) return absl::OkStatus();
  unlink(staged.c_str());
  return ErrnoStatus(error, path.string());
}

}  // namespace ks
