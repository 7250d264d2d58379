// Where words become token ids: the model's side of one text of an encoding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "text/tokenizer.h"
#include "text/word.h"
#include "text/wordpiece.h"

namespace ks {

// Which tokens of one text are wanted. With room for all of them: nothing is cut.
struct TokenLimit {
  size_t room = SIZE_MAX;  // that many, from the beginning or from the end
  bool from_end = false;
  bool for_pair = false;  // the other text may take less than its share: keep up to the limit of the whole encoding
  size_t whole = SIZE_MAX;
};

// Appends the tokens of one text to `out`.
//
// From the beginning, words are taken until there are enough tokens: the text is not read further. From the end, all
// are taken and those in front dropped, now and then on the way, so that memory stays bounded too.
template <bool kOffsets>
class TokenSink {
 public:
  TokenSink(const WordPiece& model, const TokenLimit& limit, Encoding& out)
      : model_(model), limit_(limit), out_(out), first_(out.ids.size()) {}

  bool OnWord(const Word& word) {
    if (full_) return Stop();
    const size_t before = out_.ids.size();
    const bool known = !word.too_long && model_.Split(word.bytes, [&](int32_t id, size_t begin, size_t end) {
      Append(id, [&] { return Offset{word.BeginOf(begin), word.EndOf(end)}; });
    });
    if (!known) {
      Cut(before, out_.ids.size());
      Append(model_.unknown_id(), [&] { return Offset{word.begin, word.end}; });
    }
    EndItem(before, false);
    return true;
  }

  bool OnAddedToken(int32_t id, Offset offset) {
    if (full_) return Stop();
    const size_t before = out_.ids.size();
    Append(id, [&] { return offset; });
    EndItem(before, true);
    return true;
  }

  // Of a pair, how many tokens the reference would have when it decides which text is the longer one: it reads words
  // from the wanted side until they make up a whole encoding, and whatever added tokens stand right behind.
  size_t Count() const {
    const size_t all = out_.ids.size() - first_;
    if (!limit_.from_end || !limit_.for_pair) return all;
    size_t count = 0;
    for (size_t i = items_.size(); i-- > 0;) {
      count = out_.ids.size() - items_[i].begin;
      if (!items_[i].added && count >= limit_.whole) break;
    }
    return count;
  }

  // Drops tokens from the unwanted side until `count` are left.
  void Keep(size_t count) {
    const size_t all = out_.ids.size() - first_;
    if (all <= count) return;
    cut_ = true;
    if (limit_.from_end) {
      Cut(first_, out_.ids.size() - count);
    } else {
      Cut(first_ + count, out_.ids.size());
    }
  }

  // Whether tokens of the text are missing.
  bool cut() const { return cut_; }

 private:
  struct Item {  // a word or an added token
    size_t begin;
    bool added;
  };

  template <typename MakeOffset>
  void Append(int32_t id, MakeOffset offset) {
    out_.ids.push_back(id);
    if constexpr (kOffsets) out_.offsets.push_back(offset());
  }

  void Cut(size_t begin, size_t end) {
    const auto erase = [&](auto& values) {
      values.erase(values.begin() + static_cast<ptrdiff_t>(begin), values.begin() + static_cast<ptrdiff_t>(end));
    };
    erase(out_.ids);
    if constexpr (kOffsets) erase(out_.offsets);
  }

  bool Stop() {
    cut_ = true;
    return false;
  }

  void EndItem(size_t begin, bool added) {
    if (!limit_.from_end) {
      // Only words end the reading, as in the reference.
      full_ = !added && out_.ids.size() - first_ >= limit_.whole;
    } else if (limit_.for_pair) {
      items_.push_back({begin, added});
    } else if (out_.ids.size() - first_ > limit_.room + kSlack && out_.ids.size() - first_ > 2 * limit_.room) {
      Keep(limit_.room);
    }
  }

  static constexpr size_t kSlack = 4096;

  const WordPiece& model_;
  const TokenLimit limit_;
  Encoding& out_;
  const size_t first_;  // where this text's tokens begin
  bool full_ = false;   // the next word is not wanted
  bool cut_ = false;
  std::vector<Item> items_;  // only from the end, of a pair
};

}  // namespace ks
