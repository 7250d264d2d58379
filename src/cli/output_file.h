// Where `predict` writes: standard output, or a file that appears only when it is whole.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace ks {

// Written through a buffer. A file is written under another name in the same directory and put in its place by Commit;
// without Commit the destructor removes it, and what was there before stays. One thread at a time.
class OutputFile {
 public:
  // `path` "-" is standard output. Errors: those of the system, naming the path.
  static absl::StatusOr<std::unique_ptr<OutputFile>> Open(const std::string& path);

  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  // Errors: those of the system, naming the path (a full disk is kResourceExhausted); kCancelled when nobody reads
  // standard output any more.
  absl::Status Write(std::string_view bytes);

  // Hands what is buffered to the system, so that a reader of a pipe sees it.
  absl::Status Flush();

  // Flushes, and puts a file in its place. Nothing may be written afterwards.
  absl::Status Commit();

 private:
  OutputFile(int fd, std::string path, std::string temporary)
      : fd_(fd), path_(std::move(path)), temporary_(std::move(temporary)) {}

  int fd_;
  const std::string path_;
  std::string temporary_;  // empty for standard output, and after Commit
  std::string buffer_;
};

// Writes `bytes` as the whole of `path`. Errors: as OutputFile's.
absl::Status WriteOutputFile(const std::string& path, std::string_view bytes);

}  // namespace ks
