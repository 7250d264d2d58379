// Where words become token ids: the model's side of one text of an encoding.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "text/tokenizer.h"
#include "text/word.h"
#include "text/wordpiece.h"

namespace ks {

// Which tokens of one text may be needed: `room` of them, from the beginning or from the end.
struct TokenLimit {
  size_t room = SIZE_MAX;
  bool from_end = false;
};

// Appends the tokens of one text to `out`.
//
// From the beginning, words are taken until there are enough tokens, and the text is not read further. From the end,
// all are taken and those in front dropped, now and then on the way, so that memory stays bounded.
template <bool kOffsets>
class TokenSink {
 public:
  TokenSink(const WordPiece& model, const TokenLimit& limit, Encoding& out)
      : model_(model), limit_(limit), out_(out), first_(out.ids.size()) {}

  bool OnWord(const Word& word) {
    if (IsFull()) return Stop();
    const size_t before = out_.ids.size();
    const bool known = !word.too_long && model_.Split(word.bytes, [&](int32_t id, size_t begin, size_t end) {
      out_.ids.push_back(id);
      if constexpr (kOffsets) out_.offsets.push_back({word.BeginOf(begin), word.EndOf(end)});
    });
    if (!known) {
      Erase(before, out_.ids.size());
      out_.ids.push_back(model_.unknown_id());
      if constexpr (kOffsets) out_.offsets.push_back({word.begin, word.end});
    }
    DropSome();
    return true;
  }

  bool OnAddedToken(int32_t id, Offset offset) {
    if (IsFull()) return Stop();
    out_.ids.push_back(id);
    if constexpr (kOffsets) out_.offsets.push_back(offset);
    DropSome();
    return true;
  }

  // How many tokens the text has; if it was not read to its end, one more than there is room for, or more.
  size_t total() const { return dropped_ + held() + (unread_ ? 1 : 0); }
  bool read_to_end() const { return !unread_; }

  // Drops tokens until `count` are left, of those at the wanted side. Gives the number that are left.
  size_t Keep(size_t count) {
    if (const size_t surplus = held() - std::min(held(), count); surplus > 0) {
      const size_t begin = limit_.from_end ? first_ : first_ + count;
      Erase(begin, begin + surplus);
      dropped_ += surplus;
    }
    return held();
  }

 private:
  size_t held() const { return out_.ids.size() - first_; }
  bool IsFull() const { return !limit_.from_end && held() >= limit_.room; }

  bool Stop() {
    unread_ = true;
    return false;
  }

  void DropSome() {
    if (limit_.from_end && held() / 2 > limit_.room + kSlack) Keep(limit_.room);
  }

  void Erase(size_t begin, size_t end) {
    const auto erase = [&](auto& values) {
      values.erase(values.begin() + static_cast<ptrdiff_t>(begin), values.begin() + static_cast<ptrdiff_t>(end));
    };
    erase(out_.ids);
    if constexpr (kOffsets) erase(out_.offsets);
  }

  static constexpr size_t kSlack = 2048;

  const WordPiece& model_;
  const TokenLimit limit_;
  Encoding& out_;
  const size_t first_;   // where this text's tokens begin
  size_t dropped_ = 0;   // tokens that were here
  bool unread_ = false;  // the text goes on
};

}  // namespace ks
