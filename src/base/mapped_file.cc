#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "base/status_macros.h"

namespace ks {
namespace {

// A file descriptor that closes itself.
struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

// Opens a regular file and finds its size.
absl::StatusOr<size_t> OpenRegular(const std::filesystem::path& path, Descriptor& descriptor) {
  // O_NONBLOCK: a FIFO named as a model file must not hang us before its type is known.
  descriptor.fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor.fd < 0) return ErrnoStatus(errno, path.string());
  struct stat info;
  if (fstat(descriptor.fd, &info) != 0) return ErrnoStatus(errno, path.string());
  if (!S_ISREG(info.st_mode)) return InvalidArgument(path.string(), ": not a regular file");
  return static_cast<size_t>(info.st_size);
}

}  // namespace

absl::StatusOr<MappedFile> MappedFile::Open(const std::filesystem::path& path) {
  Descriptor descriptor;
  KS_ASSIGN_OR_RETURN(const size_t size, OpenRegular(path, descriptor));
  MappedFile file;
  if (size == 0) return file;  // mmap refuses a length of zero
  void* data = mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor.fd, 0);
  if (data == MAP_FAILED) return ErrnoStatus(errno, path.string());
  file.data_ = static_cast<const std::byte*>(data);
  file.size_ = size;
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size_);
}

absl::StatusOr<std::string> ReadFile(const std::filesystem::path& path, size_t max_bytes) {
  Descriptor descriptor;
  KS_ASSIGN_OR_RETURN(const size_t size, OpenRegular(path, descriptor));
  if (size > max_bytes) {
    return InvalidArgument(path.string(), ": ", size, " bytes, at most ", max_bytes, " are read");
  }
  std::string content(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t count = read(descriptor.fd, content.data() + done, size - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoStatus(errno, path.string());
    if (count == 0) break;  // the file shrank under us: what is there is returned
    done += static_cast<size_t>(count);
  }
  content.resize(done);
  return content;
}

}  // namespace ks
