// What normaliser and pre-tokeniser do to each code point, as one table: made when a tokeniser is compiled, for its
// options, and read from the compiled form. One look-up for a character of any script.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "text/bert_normalizer.h"
#include "text/section_file.h"

namespace ks {

// One code point's fate, with up to 24 bits that go with it.
class CharEntry {
 public:
  enum Kind : uint8_t {
    kLetter,        // a part of a word, as it is
    kMappedLetter,  // a part of a word, as the code point `payload`
    kSpace,         // ends a word
    kIsolated,      // a word of its own, as the code point `payload`
    kIsolatedCopy,  // a word of its own, as it is
    kDropped,       // nothing
    kLetters,       // parts of a word: `count` code points of the pool from `offset`
    kHangul,        // a syllable: two or three letters, computed
    kExact,         // the exact normaliser has to see it with its neighbours: it has combining marks that stay
    kKinds,
  };

  constexpr CharEntry() = default;
  constexpr CharEntry(Kind kind, uint32_t payload) : bits_(uint32_t{kind} << 24 | payload) {}
  static constexpr CharEntry Letters(uint32_t offset, uint32_t count) { return {kLetters, offset << 8 | count}; }

  constexpr Kind kind() const { return static_cast<Kind>(bits_ >> 24); }
  constexpr uint32_t payload() const { return bits_ & 0xFFFFFF; }
  constexpr uint32_t offset() const { return payload() >> 8; }
  constexpr uint32_t count() const { return payload() & 0xFF; }
  friend bool operator==(const CharEntry&, const CharEntry&) = default;

 private:
  uint32_t bits_ = 0;
};

// A view of the section. Copyable; the bytes must outlive it.
class CharMap {
 public:
  // The section for these options. Deterministic; some milliseconds.
  static SectionWriter Build(const NormalizerOptions& options);

  CharMap() = default;
  // Errors: kDataLoss where an entry points nowhere or is of no kind.
  static absl::StatusOr<CharMap> Read(SectionReader reader);

  // Requires c <= 0x10FFFF.
  CharEntry Find(char32_t c) const {
    return entries_[size_t{blocks_[c >> kBlockBits]} << kBlockBits | (c & kBlockMask)];
  }
  std::span<const uint32_t> LettersOf(CharEntry entry) const { return pool_.subspan(entry.offset(), entry.count()); }

  // The entries of bytes: of the ASCII characters; kExact, which no ASCII character is, for all others.
  struct Ascii {
    uint8_t byte;  // what a kLetter or kIsolated becomes
    uint8_t kind;  // kLetter, kSpace, kIsolated, kDropped or kExact
  };
  const std::array<Ascii, 256>& ascii() const { return ascii_; }

 private:
  static constexpr int kBlockBits = 7;
  static constexpr char32_t kBlockMask = (1u << kBlockBits) - 1;
  static constexpr size_t kBlocks = 0x110000 >> kBlockBits;

  std::span<const uint16_t> blocks_;
  std::span<const CharEntry> entries_;
  std::span<const uint32_t> pool_;
  std::array<Ascii, 256> ascii_ = {};
};

}  // namespace ks
