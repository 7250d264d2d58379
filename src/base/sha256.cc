#include "base/sha256.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "base/status.h"

namespace ks {
namespace {

constexpr size_t kBlockBytes = 1 << 20;

class Hasher {
 public:
  Hasher() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }

  void Update(const void* data, size_t size) { EVP_DigestUpdate(context_.get(), data, size); }

  std::string FinishHex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_DigestFinal_ex(context_.get(), digest, &size);
    std::string hex;
    for (unsigned int i = 0; i < size; ++i) {
      hex.push_back("0123456789abcdef"[digest[i] >> 4]);
      hex.push_back("0123456789abcdef"[digest[i] & 15]);
    }
    return hex;
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

}  // namespace

std::string Sha256Hex(std::span<const std::byte> bytes) {
  Hasher hasher;
  hasher.Update(bytes.data(), bytes.size());
  return hasher.FinishHex();
}

absl::StatusOr<std::string> Sha256HexOfFile(const std::filesystem::path& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, path.string());
  Hasher hasher;
  std::vector<char> block(kBlockBytes);
  absl::Status status;
  off_t offset = 0;
  while (true) {
    const ssize_t count = read(fd, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) status = ErrnoStatus(errno, path.string());
    if (count <= 0) break;
    hasher.Update(block.data(), static_cast<size_t>(count));
    // Pages that another mapping uses stay; the rest need not push out anything else.
    posix_fadvise(fd, offset, count, POSIX_FADV_DONTNEED);
    offset += count;
  }
  close(fd);
  if (!status.ok()) return status;
  return hasher.FinishHex();
}

}  // namespace ks
