// Tested by line_reader_test.cc.
#include "cli/tables/line_reader.h"

#include <cstring>

#include "base/status_macros.h"

namespace ks {
namespace {

constexpr size_t kBufferBytes = 256 << 10;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

LineReader::LineReader(std::unique_ptr<ByteSource> source, size_t max_line_bytes)
    : source_(std::move(source)), max_line_bytes_(max_line_bytes), buffer_(kBufferBytes) {}

absl::StatusOr<bool> LineReader::Next(Line& line) {
  if (given_out_) {
    partial_.clear();
    given_out_ = false;
  }
  while (true) {
    if (begin_ == end_) {
      KS_ASSIGN_OR_RETURN(end_, source_->Read(buffer_));
      begin_ = 0;
    }
    const bool at_end = begin_ == end_;
    if (at_end && partial_.empty() && !skipping_) return false;

    const char* const first = buffer_.data() + begin_;
    const auto* const feed = at_end ? nullptr : static_cast<const char*>(std::memchr(first, '\n', end_ - begin_));
    const size_t length = feed == nullptr ? end_ - begin_ : static_cast<size_t>(feed - first);
    begin_ += length + (feed == nullptr ? 0 : 1);
    if (!skipping_ && partial_.size() + length > max_line_bytes_) {
      skipping_ = true;
      std::string().swap(partial_);
    }
    const bool complete = feed != nullptr || at_end;
    // A line inside one buffer is given out where it lies.
    const bool in_place = complete && partial_.empty() && !skipping_;
    if (!in_place && !skipping_) partial_.append(first, length);
    if (!complete) continue;

    line = {.text = in_place ? std::string_view(first, length) : partial_,
            .number = ++number_,
            .ended = feed != nullptr,
            .too_long = skipping_};
    if (number_ == 1 && line.text.starts_with(kByteOrderMark)) line.text.remove_prefix(kByteOrderMark.size());
    skipping_ = false;
    given_out_ = true;
    return true;
  }
}

}  // namespace ks
