// The table is made by asking the exact normaliser about every code point that has any property at all. Tested by
// char_map_test.cc.
#include "text/char_map.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "text/unicode_tables.h"

namespace ks {
namespace {

constexpr uint8_t kChinese = CharProperties::kChinese;

CharEntry EntryOf(char32_t c) {
  const CharProperties properties = PropertiesOf(c);
  if (properties.Has(CharProperties::kWhitespace)) return {CharEntry::kSpace, 0};
  if (properties.Has(CharProperties::kPunctuation)) return {CharEntry::kIsolated, c};
  return {CharEntry::kMappedLetter, c};
}

// Normalises single code points and says what became of them.
class EntryMaker {
 public:
  explicit EntryMaker(const NormalizerOptions& options) : options_(options) {}

  CharEntry Make(char32_t c) {
    text_.clear();
    AppendUtf8(c, text_);
    Normalize(text_, options_, 0, chars_);
    if (options_.strip_accents) {
      const bool marks_stay = std::any_of(
          chars_.begin(), chars_.end(), [](const NormalizedChar& x) { return PropertiesOf(x.c).combining_class != 0; });
      if (marks_stay) return {CharEntry::kExact, 0};
      if (c >= kFirstHangulSyllable && c < kFirstHangulSyllable + kHangulSyllables) return {CharEntry::kHangul, 0};
    }

    std::vector<CharEntry> entries;
    for (const NormalizedChar& x : chars_) entries.push_back(EntryOf(x.c));
    // Between spaces: a word of its own.
    if (options_.handle_chinese_chars && entries.size() == 3 && PropertiesOf(c).Has(kChinese)) {
      entries = {{CharEntry::kIsolated, chars_[1].c}};
    }
    if (entries.empty()) return {CharEntry::kDropped, 0};
    if (entries.size() > 1) return AddLetters(entries);
    const CharEntry entry = entries[0];
    if (entry.kind() == CharEntry::kMappedLetter && entry.payload() == c) return {CharEntry::kLetter, 0};
    if (entry.kind() == CharEntry::kIsolated && entry.payload() == c) return {CharEntry::kIsolatedCopy, 0};
    return entry;
  }

  const std::vector<uint32_t>& pool() const { return pool_; }

 private:
  CharEntry AddLetters(const std::vector<CharEntry>& entries) {
    std::vector<uint32_t> letters;
    for (const CharEntry entry : entries) {
      // Letters beside separators: left to the exact normaliser, as no character of today's tables does this.
      if (entry.kind() != CharEntry::kMappedLetter) return {CharEntry::kExact, 0};
      letters.push_back(entry.payload());
    }
    const auto at = std::search(pool_.begin(), pool_.end(), letters.begin(), letters.end());
    const auto offset = static_cast<uint32_t>(at - pool_.begin());
    if (at == pool_.end()) pool_.insert(pool_.end(), letters.begin(), letters.end());
    return CharEntry::Letters(offset, static_cast<uint32_t>(letters.size()));
  }

  NormalizerOptions options_;
  std::string text_;
  std::vector<NormalizedChar> chars_;
  std::vector<uint32_t> pool_;
};

}  // namespace

SectionWriter CharMap::Build(const NormalizerOptions& options) {
  // Code points without any property stay what they are: most of the plane is never asked about.
  std::vector<CharEntry> all(0x110000, CharEntry(CharEntry::kLetter, 0));
  EntryMaker maker(options);
  for (const CharProperties& range : AllProperties()) {
    if (range.first == kFirstHangulSyllable) continue;
    // Within a range only the code point itself differs, so the first speaks for all that map to themselves or to
    // nothing.
    const CharEntry first = maker.Make(range.first);
    const bool uniform = first.kind() == CharEntry::kLetter || first.kind() == CharEntry::kIsolatedCopy ||
                         first.kind() == CharEntry::kDropped || first.kind() == CharEntry::kSpace;
    for (uint32_t c = range.first; c <= range.last; ++c) all[c] = uniform ? first : maker.Make(c);
  }
  ForEachMapped([&](char32_t c) { all[c] = maker.Make(c); });
  // All Hangul syllables share one fate.
  std::fill_n(all.begin() + kFirstHangulSyllable, kHangulSyllables, maker.Make(kFirstHangulSyllable));

  std::vector<uint16_t> blocks;
  std::vector<CharEntry> entries;
  std::map<std::string_view, uint16_t> known;  // the bytes of a block: its number
  constexpr size_t kBlockSize = size_t{1} << kBlockBits;
  for (size_t first = 0; first < all.size(); first += kBlockSize) {
    const std::string_view bytes(reinterpret_cast<const char*>(&all[first]), kBlockSize * sizeof(CharEntry));
    const auto [found, fresh] = known.try_emplace(bytes, static_cast<uint16_t>(known.size()));
    if (fresh) entries.insert(entries.end(), &all[first], &all[first] + kBlockSize);
    blocks.push_back(found->second);
  }

  SectionWriter writer;
  writer.Array(std::span<const uint16_t>(blocks));
  writer.Array(std::span<const CharEntry>(entries));
  writer.Array(std::span<const uint32_t>(maker.pool()));
  return writer;
}

absl::StatusOr<CharMap> CharMap::Read(SectionReader reader) {
  CharMap map;
  map.blocks_ = reader.Array<uint16_t>();
  map.entries_ = reader.Array<CharEntry>();
  map.pool_ = reader.Array<uint32_t>();
  KS_RETURN_IF_ERROR(reader.Finish());

  if (map.blocks_.size() != kBlocks) return reader.Damaged(Cat(map.blocks_.size(), " blocks, expected ", kBlocks));
  const uint16_t last_block = *std::max_element(map.blocks_.begin(), map.blocks_.end());
  if ((size_t{last_block} + 1) << kBlockBits > map.entries_.size()) return reader.Damaged("a block outside the table");
  for (const CharEntry entry : map.entries_) {
    const bool mapped = entry.kind() == CharEntry::kMappedLetter || entry.kind() == CharEntry::kIsolated;
    const bool valid = entry.kind() < CharEntry::kKinds && (!mapped || entry.payload() <= 0x10FFFF) &&
                       (entry.kind() != CharEntry::kLetters || entry.offset() + entry.count() <= map.pool_.size());
    if (!valid) return reader.Damaged("an entry that means nothing");
  }
  for (const uint32_t letter : map.pool_) {
    if (letter > 0x10FFFF) return reader.Damaged("a letter that is no code point");
  }

  map.ascii_.fill({0, CharEntry::kExact});
  for (uint8_t c = 0; c < 0x80; ++c) {
    const CharEntry entry = map.Find(c);
    Ascii& ascii = map.ascii_[c];
    switch (entry.kind()) {
      case CharEntry::kLetter:
        ascii = {c, CharEntry::kLetter};
        break;
      case CharEntry::kIsolatedCopy:
        ascii = {c, CharEntry::kIsolated};
        break;
      case CharEntry::kMappedLetter:
      case CharEntry::kIsolated:
        if (entry.payload() >= 0x80) return reader.Damaged(Cat("the ASCII character ", c, " leaves ASCII"));
        ascii = {static_cast<uint8_t>(entry.payload()),
                 entry.kind() == CharEntry::kIsolated ? CharEntry::kIsolated : CharEntry::kLetter};
        break;
      case CharEntry::kSpace:
      case CharEntry::kDropped:
        ascii = {0, entry.kind()};
        break;
      default:
        return reader.Damaged(Cat("the ASCII character ", c, " is not simple"));
    }
  }
  return map;
}

}  // namespace ks
