// Collects the characters of one word and hands it on when it ends.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>

#include "text/word.h"

namespace ks {

// Sink: bool OnWord(const Word&), false to stop. kOrigins: whether words carry origins.
//
// Holds at most `max_chars` characters; of a longer word only its extent is kept, so that a word of any length costs no
// memory. No allocation where max_chars is at most kInlineChars.
template <bool kOrigins, typename Sink>
class WordBuffer {
 public:
  WordBuffer(uint32_t max_chars, Sink& sink) : sink_(sink), max_chars_(max_chars) {
    if (max_chars > kInlineChars) {
      heap_bytes_ = std::make_unique_for_overwrite<char[]>(size_t{max_chars} * 4);
      bytes_ = heap_bytes_.get();
      if constexpr (kOrigins) {
        heap_origins_ = std::make_unique_for_overwrite<uint32_t[]>(size_t{max_chars} * 4);
        origins_ = heap_origins_.get();
      }
    }
  }
  WordBuffer(const WordBuffer&) = delete;
  WordBuffer& operator=(const WordBuffer&) = delete;

  bool empty() const { return chars_ == 0; }
  // How many characters may still be appended before the word is too long.
  uint32_t room() const { return max_chars_ - std::min(chars_, max_chars_); }

  // Appends `count` <= room() ASCII characters; the original ones stand side by side from `origin`. `byte_at(i)` gives
  // each.
  template <typename ByteAt>
  void AppendAscii(uint32_t origin, uint32_t count, ByteAt byte_at) {
    Extend(origin, count);
    for (uint32_t i = 0; i < count; ++i) bytes_[size_ + i] = static_cast<char>(byte_at(i));
    if constexpr (kOrigins) {
      if (!contiguous_) {
        for (uint32_t i = 0; i < count; ++i) origins_[size_ + i] = origin + i;
      }
    }
    size_ += count;
    chars_ += count;
  }

  // Appends one character of any size.
  void Append(char32_t c, uint32_t origin) {
    if (c < 0x80) {
      if (room() == 0) return Skip(origin, 1);
      return AppendAscii(origin, 1, [&](uint32_t) { return static_cast<uint8_t>(c); });
    }
    char utf8[4];
    const uint32_t length = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    constexpr uint8_t kLead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (uint32_t i = length; i-- > 1; c >>= 6) utf8[i] = static_cast<char>(0x80 | (c & 0x3F));
    utf8[0] = static_cast<char>(kLead[length] | c);
    AppendBytes(utf8, length, origin);
  }

  // Appends one character as the `length` <= 4 bytes of its UTF-8.
  void AppendBytes(const char* utf8, uint32_t length, uint32_t origin) {
    if (room() == 0) return Skip(origin, 1);
    Extend(origin, 1);
    if (kOrigins && length > 1) LoseContiguity();
    std::copy_n(utf8, length, bytes_ + size_);
    if constexpr (kOrigins) {
      if (!contiguous_) std::fill_n(origins_ + size_, length, origin);
    }
    size_ += length;
    ++chars_;
  }

  // Lets `count` characters pass that have no room.
  void Skip(uint32_t origin, uint32_t count) {
    end_ = origin + count;
    too_long_ = true;
  }

  // Ends the word, if there is one.
  bool Flush() {
    if (chars_ == 0) return true;
    const Word word{{bytes_, size_}, begin_, end_, kOrigins && !contiguous_ ? origins_ : nullptr, too_long_};
    Discard();
    return sink_.OnWord(word);
  }

  // A word of one character.
  bool Isolated(char32_t c, uint32_t origin) {
    if (!Flush()) return false;
    Append(c, origin);
    return Flush();
  }
  bool IsolatedBytes(const char* utf8, uint32_t length, uint32_t origin) {
    if (!Flush()) return false;
    AppendBytes(utf8, length, origin);
    return Flush();
  }

  // Forgets what was appended since the last word.
  void Discard() {
    size_ = 0;
    chars_ = 0;
    contiguous_ = true;
    too_long_ = false;
  }

 private:
  static constexpr uint32_t kInlineChars = 128;

  void Extend(uint32_t origin, uint32_t count) {
    if (chars_ == 0) {
      begin_ = origin;
    } else if (kOrigins && contiguous_ && origin != end_) {
      LoseContiguity();
    }
    end_ = origin + count;
  }

  // From here on the origins are written down.
  void LoseContiguity() {
    if constexpr (kOrigins) {
      if (!contiguous_) return;
      contiguous_ = false;
      for (uint32_t i = 0; i < size_; ++i) origins_[i] = begin_ + i;
    }
  }

  Sink& sink_;
  const uint32_t max_chars_;
  uint32_t size_ = 0;  // bytes
  uint32_t chars_ = 0;
  uint32_t begin_ = 0;  // the origin of the first character
  uint32_t end_ = 0;    // one more than the origin of the last
  bool contiguous_ = true;
  bool too_long_ = false;
  char inline_bytes_[kInlineChars * 4];
  uint32_t inline_origins_[kOrigins ? kInlineChars * 4 : 1];
  char* bytes_ = inline_bytes_;
  uint32_t* origins_ = inline_origins_;
  std::unique_ptr<char[]> heap_bytes_;
  std::unique_ptr<uint32_t[]> heap_origins_;
};

}  // namespace ks
