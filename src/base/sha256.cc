// The plain functions rather than EVP: linked from the archive they are 20 KB, and no provider is loaded or locked.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/sha256.h"

#include <fcntl.h>
#include <openssl/sha.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "base/hex.h"
#include "base/status.h"

namespace ks {
namespace {

constexpr size_t kBlockBytes = 1 << 20;

// Reads what follows `offset`; the number of bytes, 0 at the end, or -1 and errno.
ssize_t ReadBlock(int fd, std::span<std::byte> block, off_t offset) {
  const iovec whole = {.iov_base = block.data(), .iov_len = block.size()};
  // As far as the page cache has it: that is somebody's, and stays.
  const ssize_t cached = preadv2(fd, &whole, 1, offset, RWF_NOWAIT);
  if (cached > 0) return cached;
  ssize_t count = 0;
  do {
    count = pread(fd, block.data(), block.size(), offset);
  } while (count < 0 && errno == EINTR);
  if (count > 0) posix_fadvise(fd, offset, count, POSIX_FADV_DONTNEED);
  return count;
}

}  // namespace

struct Sha256::Context {
  SHA256_CTX state;
};

Sha256::Sha256() : context_(std::make_unique<Context>()) { SHA256_Init(&context_->state); }
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::Update(std::span<const std::byte> bytes) { SHA256_Update(&context_->state, bytes.data(), bytes.size()); }

std::string Sha256::FinishHex() && {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256_Final(digest, &context_->state);
  return ToHex(digest);
}

std::string Sha256Hex(std::span<const std::byte> bytes) {
  Sha256 hasher;
  hasher.Update(bytes);
  return std::move(hasher).FinishHex();
}

absl::StatusOr<std::string> Sha256HexOfFile(const std::filesystem::path& path, const std::stop_token& stop) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, path.string());
  Sha256 hasher;
  std::vector<std::byte> block(kBlockBytes);
  absl::Status status;
  off_t offset = 0;
  while (true) {
    if (stop.stop_requested()) status = absl::CancelledError(path.string());
    const ssize_t count = status.ok() ? ReadBlock(fd, block, offset) : 0;
    if (count < 0) status = ErrnoStatus(errno, path.string());
    if (count <= 0) break;
    hasher.Update({block.data(), static_cast<size_t>(count)});
    offset += count;
  }
  close(fd);
  if (!status.ok()) return status;
  return std::move(hasher).FinishHex();
}

}  // namespace ks
