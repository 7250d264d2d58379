// Each source stands on another one: decompression on a file. Memory is bounded by the buffers here and by the
// decoders' windows (xz: at most kXzMemoryBytes). Tested by byte_source_test.cc.
#include "cli/tables/byte_source.h"

#include <fcntl.h>
#include <lzma.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/status_macros.h"

namespace ks {
namespace {

constexpr size_t kCompressedBufferBytes = 64 << 10;
constexpr uint64_t kXzMemoryBytes = 256 << 20;  // xz -9 needs 65 MiB

class FileSource final : public ByteSource {
 public:
  FileSource(int fd, bool owned, std::string name, int64_t total_bytes)
      : fd_(fd), owned_(owned), name_(std::move(name)), total_bytes_(total_bytes) {}
  ~FileSource() override {
    if (owned_) close(fd_);
  }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  absl::StatusOr<size_t> Read(std::span<char> buffer) override {
    const ssize_t count = read(fd_, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) return MakeStatus(absl::StatusCode::kCancelled, name_, ": interrupted");
    if (count < 0) return ErrnoStatus(errno, name_);
    bytes_read_ += count;
    return static_cast<size_t>(count);
  }
  int64_t bytes_read() const override { return bytes_read_; }
  int64_t total_bytes() const override { return total_bytes_; }

 private:
  const int fd_;
  const bool owned_;
  const std::string name_;
  const int64_t total_bytes_;
  int64_t bytes_read_ = 0;
};

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::string bytes) : bytes_(std::move(bytes)) {}

  absl::StatusOr<size_t> Read(std::span<char> buffer) override {
    const size_t count = std::min(buffer.size(), bytes_.size() - pos_);
    std::memcpy(buffer.data(), bytes_.data() + pos_, count);
    pos_ += count;
    return count;
  }
  int64_t bytes_read() const override { return static_cast<int64_t>(pos_); }
  int64_t total_bytes() const override { return static_cast<int64_t>(bytes_.size()); }

 private:
  const std::string bytes_;
  size_t pos_ = 0;
};

// Keeps the compressed bytes that a decoder has not taken yet.
class CompressedSource : public ByteSource {
 public:
  CompressedSource(std::unique_ptr<ByteSource> inner, std::string name)
      : inner_(std::move(inner)), name_(std::move(name)), input_(kCompressedBufferBytes) {}

  int64_t bytes_read() const override { return inner_->bytes_read(); }
  int64_t total_bytes() const override { return inner_->total_bytes(); }

 protected:
  // The next compressed bytes; empty at the end.
  absl::StatusOr<std::span<char>> Refill() {
    KS_ASSIGN_OR_RETURN(const size_t count, inner_->Read(input_));
    return std::span<char>(input_).first(count);
  }
  absl::Status Damaged(std::string_view how) const { return DataLoss(name_, ": ", how); }

 private:
  const std::unique_ptr<ByteSource> inner_;
  const std::string name_;
  std::vector<char> input_;
};

class GzipSource final : public CompressedSource {
 public:
  GzipSource(std::unique_ptr<ByteSource> inner, std::string name)
      : CompressedSource(std::move(inner), std::move(name)) {
    constexpr int kGzipOnly = 16;
    ready_ = inflateInit2(&stream_, MAX_WBITS + kGzipOnly) == Z_OK;
  }
  ~GzipSource() override { inflateEnd(&stream_); }

  absl::StatusOr<size_t> Read(std::span<char> buffer) override {
    if (!ready_) return ResourceExhausted("zlib could not be set up");
    stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream_.avail_out = static_cast<uInt>(std::min<size_t>(buffer.size(), kCompressedBufferBytes));
    const uInt wanted = stream_.avail_out;
    while (stream_.avail_out == wanted) {
      if (stream_.avail_in == 0) {
        KS_ASSIGN_OR_RETURN(const std::span<char> input, Refill());
        if (input.empty() && between_members_) return 0;
        if (input.empty()) return Damaged("the gzip data ends early");
        stream_.next_in = reinterpret_cast<Bytef*>(input.data());
        stream_.avail_in = static_cast<uInt>(input.size());
      }
      between_members_ = false;
      const int result = inflate(&stream_, Z_NO_FLUSH);
      if (result == Z_STREAM_END) {
        between_members_ = true;
        inflateReset(&stream_);
      } else if (result == Z_MEM_ERROR) {
        return ResourceExhausted("out of memory in zlib");
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        return Damaged("the gzip data is damaged");
      }
    }
    return wanted - stream_.avail_out;
  }

 private:
  z_stream stream_ = {};
  bool ready_ = false;
  bool between_members_ = false;  // a whole member has ended: the file may end here
};

class XzSource final : public CompressedSource {
 public:
  XzSource(std::unique_ptr<ByteSource> inner, std::string name) : CompressedSource(std::move(inner), std::move(name)) {
    ready_ = lzma_stream_decoder(&stream_, kXzMemoryBytes, LZMA_CONCATENATED) == LZMA_OK;
  }
  ~XzSource() override { lzma_end(&stream_); }

  absl::StatusOr<size_t> Read(std::span<char> buffer) override {
    if (!ready_) return ResourceExhausted("liblzma could not be set up");
    if (ended_) return 0;
    stream_.next_out = reinterpret_cast<uint8_t*>(buffer.data());
    stream_.avail_out = buffer.size();
    while (stream_.avail_out == buffer.size() && !ended_) {
      if (stream_.avail_in == 0 && !input_ended_) {
        KS_ASSIGN_OR_RETURN(const std::span<char> input, Refill());
        input_ended_ = input.empty();
        stream_.next_in = reinterpret_cast<const uint8_t*>(input.data());
        stream_.avail_in = input.size();
      }
      switch (lzma_code(&stream_, input_ended_ ? LZMA_FINISH : LZMA_RUN)) {
        case LZMA_OK:
          break;
        case LZMA_STREAM_END:
          ended_ = true;
          break;
        case LZMA_BUF_ERROR:
          return Damaged("the xz data ends early");
        case LZMA_MEM_ERROR:
        case LZMA_MEMLIMIT_ERROR:
          return ResourceExhausted("more memory needed to read xz data than the ", kXzMemoryBytes >> 20,
                                   " MiB allowed");
        default:
          return Damaged("the xz data is damaged");
      }
    }
    return buffer.size() - stream_.avail_out;
  }

 private:
  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool ready_ = false;
  bool input_ended_ = false;
  bool ended_ = false;
};

std::unique_ptr<ByteSource> Decompress(std::unique_ptr<ByteSource> source, const std::string& name) {
  if (name.ends_with(".gz")) return std::make_unique<GzipSource>(std::move(source), name);
  if (name.ends_with(".xz")) return std::make_unique<XzSource>(std::move(source), name);
  return source;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ByteSource>> OpenByteSource(const std::string& path) {
  if (path == "-") return std::make_unique<FileSource>(STDIN_FILENO, false, "standard input", 0);
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, path);
  struct stat info = {};
  if (fstat(fd, &info) != 0 || S_ISDIR(info.st_mode)) {
    close(fd);
    return InvalidArgument(path, ": expected a file, found a directory");
  }
  const int64_t total_bytes = S_ISREG(info.st_mode) ? info.st_size : 0;
  return Decompress(std::make_unique<FileSource>(fd, true, path, total_bytes), path);
}

std::unique_ptr<ByteSource> MemoryByteSource(std::string bytes, const std::string& name) {
  return Decompress(std::make_unique<MemorySource>(std::move(bytes)), name);
}

std::string_view WithoutCompression(std::string_view path) {
  if (path.ends_with(".gz") || path.ends_with(".xz")) path.remove_suffix(3);
  return path;
}

}  // namespace ks
