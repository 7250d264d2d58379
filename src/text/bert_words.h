// Normaliser and pre-tokeniser of the BERT family in one pass: text in, words out, nothing stored in between.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "text/bert_normalizer.h"
#include "text/char_map.h"
#include "text/unicode_tables.h"
#include "text/word_buffer.h"

namespace ks {

// Splits normalised characters into words. The last word stays open.
template <bool kOrigins, typename Sink>
bool SplitNormalized(std::span<const NormalizedChar> chars, WordBuffer<kOrigins, Sink>& word) {
  for (const NormalizedChar& x : chars) {
    const CharProperties properties = PropertiesOf(x.c);
    if (properties.Has(CharProperties::kWhitespace)) {
      if (!word.Flush()) return false;
    } else if (properties.Has(CharProperties::kPunctuation)) {
      if (!word.Isolated(x.c, x.origin)) return false;
    } else {
      word.Append(x.c, x.origin);
    }
  }
  return true;
}

// Scans one piece of text. Linear: every character is looked at once, and once more in the rare words whose combining
// marks have to be put in order.
template <bool kOrigins, typename Sink>
class BertWords {
 public:
  BertWords(const NormalizerOptions& options, const CharMap& map, WordBuffer<kOrigins, Sink>& word)
      : options_(options), map_(map), word_(word) {}

  // Words of valid UTF-8, whose first code point is number `origin` of the whole text. False if the sink stopped it.
  bool Scan(std::string_view text, uint32_t origin) {
    const char* const end = text.data() + text.size();
    p_ = text.data();
    origin_ = origin;
    WordBegins();
    while (p_ != end) {
      const CharMap::Ascii first = At(p_);
      bool go_on = true;
      switch (first.kind) {
        case CharEntry::kLetter:
          ScanLetters(end);
          break;
        case CharEntry::kSpace:
          go_on = word_.Flush();
          Advance(1);
          WordBegins();
          break;
        case CharEntry::kIsolated:
          go_on = word_.Isolated(first.byte, origin_);
          Advance(1);
          WordBegins();
          break;
        case CharEntry::kDropped:
          Advance(1);
          break;
        default:
          go_on = ScanCodePoint(text, end);
          break;
      }
      if (!go_on) return false;
    }
    return word_.Flush();
  }

 private:
  CharMap::Ascii At(const char* p) const { return map_.ascii()[static_cast<uint8_t>(*p)]; }

  void Advance(uint32_t bytes) {
    p_ += bytes;
    ++origin_;
  }

  // What comes next begins a word, whatever it is: the reordering of marks never reaches back beyond this.
  void WordBegins() {
    word_begin_ = p_;
    word_origin_ = origin_;
  }

  // A run of ASCII letters: the hot path.
  void ScanLetters(const char* end) {
    const auto limit = static_cast<size_t>(end - p_);
    const size_t room = word_.room();
    const char* const stop = p_ + std::min(limit, room);
    const char* q = p_;
    while (q != stop && At(q).kind == CharEntry::kLetter) ++q;
    const char* const begin = p_;
    auto count = static_cast<uint32_t>(q - p_);
    if (count > 0) word_.AppendAscii(origin_, count, [&](uint32_t i) { return At(begin + i).byte; });
    if (q == stop && limit > room) {
      while (q != end && At(q).kind == CharEntry::kLetter) ++q;
      const auto skipped = static_cast<uint32_t>(q - stop);
      if (skipped > 0) word_.Skip(origin_ + count, skipped);
      count += skipped;
    }
    p_ = q;
    origin_ += count;
  }

  bool ScanCodePoint(std::string_view text, const char* end) {
    auto pos = static_cast<size_t>(p_ - text.data());
    const char32_t c = NextCodePoint(text, pos);
    const auto length = static_cast<uint32_t>(text.data() + pos - p_);
    const CharEntry entry = map_.Find(c);
    if (entry.kind() == CharEntry::kExact) return ScanExact(end);

    bool go_on = true;
    bool separates = false;
    switch (entry.kind()) {
      case CharEntry::kLetter:
        word_.AppendBytes(p_, length, origin_);
        break;
      case CharEntry::kMappedLetter:
        word_.Append(entry.payload(), origin_);
        break;
      case CharEntry::kLetters:
        for (const uint32_t letter : map_.LettersOf(entry)) word_.Append(letter, origin_);
        break;
      case CharEntry::kHangul: {
        uint32_t jamo[3];
        for (const uint32_t letter : DecompositionOf(c, jamo)) word_.Append(letter, origin_);
        break;
      }
      case CharEntry::kSpace:
        go_on = word_.Flush();
        separates = true;
        break;
      case CharEntry::kIsolated:
        go_on = word_.Isolated(entry.payload(), origin_);
        separates = true;
        break;
      case CharEntry::kIsolatedCopy:
        go_on = word_.IsolatedBytes(p_, length, origin_);
        separates = true;
        break;
      default:
        break;
    }
    Advance(length);
    if (separates) WordBegins();
    return go_on;
  }

  // From the beginning of this word to the next ASCII character that ends one, by the exact normaliser.
  bool ScanExact(const char* end) {
    word_.Discard();
    const char* stop = p_;
    const auto ends_word = [&](const char* q) {
      const uint8_t kind = At(q).kind;
      return kind == CharEntry::kSpace || kind == CharEntry::kIsolated;
    };
    while (stop != end && !ends_word(stop)) ++stop;
    const std::string_view piece(word_begin_, static_cast<size_t>(stop - word_begin_));
    Normalize(piece, options_, word_origin_, normalized_);
    origin_ = word_origin_ + static_cast<uint32_t>(CountCodePoints(piece));
    p_ = stop;
    return SplitNormalized<kOrigins>(normalized_, word_);
  }

  const NormalizerOptions options_;
  const CharMap& map_;
  WordBuffer<kOrigins, Sink>& word_;
  const char* p_ = nullptr;
  uint32_t origin_ = 0;  // the code point at p_
  const char* word_begin_ = nullptr;
  uint32_t word_origin_ = 0;
  std::vector<NormalizedChar> normalized_;
};

}  // namespace ks
