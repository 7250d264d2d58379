// Lines of a byte source, numbered, with a limit on their length.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/tables/byte_source.h"

namespace ks {

struct Line {
  std::string_view text;  // without its line feed; valid until the next call
  int64_t number = 0;     // from 1
  bool ended = false;     // a line feed followed (only the last line can lack one)
  bool too_long = false;  // more bytes than the limit: `text` is empty, the rest of the line was skipped
};

// Skips a UTF-8 byte order mark at the beginning. A file that ends in a line feed has no empty line after it.
class LineReader {
 public:
  LineReader(std::unique_ptr<ByteSource> source, size_t max_line_bytes);

  // False at the end. Errors are those of ByteSource::Read; the position is kept, so a caller that was interrupted may
  // call again.
  absl::StatusOr<bool> Next(Line& line);

  const ByteSource& source() const { return *source_; }

 private:
  const std::unique_ptr<ByteSource> source_;
  const size_t max_line_bytes_;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;  // what of buffer_ is filled and not yet given out
  std::string partial_;         // the beginning of a line that crosses a buffer's end
  bool skipping_ = false;       // inside a line that is too long
  bool given_out_ = false;      // partial_ was the last call's line
  int64_t number_ = 0;
};

}  // namespace ks
