#include "base/sha256.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "base/status.h"

namespace ks {
namespace {

constexpr size_t kBlockBytes = 1 << 20;

}  // namespace

struct Sha256::Context {
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> evp{EVP_MD_CTX_new()};
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  EVP_DigestInit_ex(context_->evp.get(), EVP_sha256(), nullptr);
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::Update(std::span<const std::byte> bytes) {
  EVP_DigestUpdate(context_->evp.get(), bytes.data(), bytes.size());
}

std::string Sha256::FinishHex() && {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_DigestFinal_ex(context_->evp.get(), digest, &size);
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    hex.push_back("0123456789abcdef"[digest[i] >> 4]);
    hex.push_back("0123456789abcdef"[digest[i] & 15]);
  }
  return hex;
}

std::string Sha256Hex(std::span<const std::byte> bytes) {
  Sha256 hasher;
  hasher.Update(bytes);
  return std::move(hasher).FinishHex();
}

absl::StatusOr<std::string> Sha256HexOfFile(const std::filesystem::path& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, path.string());
  Sha256 hasher;
  std::vector<std::byte> block(kBlockBytes);
  absl::Status status;
  off_t offset = 0;
  while (true) {
    const ssize_t count = read(fd, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) status = ErrnoStatus(errno, path.string());
    if (count <= 0) break;
    hasher.Update({block.data(), static_cast<size_t>(count)});
    // Pages that another mapping uses stay; the rest need not push out anything else.
    posix_fadvise(fd, offset, count, POSIX_FADV_DONTNEED);
    offset += count;
  }
  close(fd);
  if (!status.ok()) return status;
  return std::move(hasher).FinishHex();
}

}  // namespace ks
