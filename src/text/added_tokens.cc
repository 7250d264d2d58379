// Tested by added_tokens_test.cc.
#include "text/added_tokens.h"

#include <algorithm>
#include <vector>

#include "base/status.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "text/unicode_tables.h"

namespace ks {
namespace {

std::string NormalizedString(std::string_view text, const NormalizerOptions& options) {
  std::vector<NormalizedChar> chars;
  Normalize(text, options, 0, chars);
  std::string result;
  for (const NormalizedChar& x : chars) AppendUtf8(x.c, result);
  return result;
}

// Where the code point that ends before `end` (not 0) begins.
size_t PreviousCodePoint(std::string_view text, size_t end) {
  do {
    --end;
  } while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80);
  return end;
}

bool HasAt(std::string_view text, size_t pos, uint8_t flag) { return PropertiesOf(NextCodePoint(text, pos)).Has(flag); }

bool StandsAlone(std::string_view text, size_t begin, size_t end) {
  const bool joined_left = begin > 0 && HasAt(text, PreviousCodePoint(text, begin), CharProperties::kWordLetter);
  const bool joined_right = end < text.size() && HasAt(text, end, CharProperties::kWordLetter);
  return !joined_left && !joined_right;
}

}  // namespace

absl::StatusOr<SectionWriter> AddedTokens::Build(std::span<const AddedTokenSpec> tokens,
                                                 const NormalizerOptions& options) {
  std::vector<Record> records;
  std::string text;
  std::vector<std::string> patterns;
  for (const AddedTokenSpec& token : tokens) {
    std::string pattern = token.normalized ? NormalizedString(token.content, options) : token.content;
    if (pattern.empty()) return InvalidArgument("added_tokens: \"", token.content, "\" normalises to nothing");
    const uint32_t flags = (token.single_word ? kSingleWord : 0) | (token.lstrip ? kLstrip : 0) |
                           (token.rstrip ? kRstrip : 0) | (token.normalized ? kNormalized : 0) |
                           (pattern != token.content ? kDecodesAsPattern : 0);
    records.push_back({token.id, flags, static_cast<uint32_t>(text.size()), static_cast<uint32_t>(pattern.size())});
    text += pattern;
    patterns.push_back(std::move(pattern));
  }

  SectionWriter writer;
  writer.Array(std::span<const Record>(records));
  writer.Text(text);
  for (const uint32_t kind : {0u, kNormalized}) {
    std::vector<ByteTrie::Entry> entries;
    for (size_t i = 0; i < records.size(); ++i) {
      if ((records[i].flags & kNormalized) == kind) entries.push_back({patterns[i], static_cast<int32_t>(i)});
    }
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    const auto same =
        std::adjacent_find(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.key == b.key; });
    if (same != entries.end()) return InvalidArgument("added_tokens: \"", same->key, "\" is there twice");
    KS_ASSIGN_OR_RETURN(const std::vector<ByteTrie::Unit> units, ByteTrie::Build(entries));
    writer.Array(std::span<const ByteTrie::Unit>(units));
  }
  return writer;
}

absl::StatusOr<AddedTokens::Set> AddedTokens::ReadSet(std::span<const ByteTrie::Unit> units, int32_t records,
                                                      const SectionReader& reader) {
  Set set;
  KS_ASSIGN_OR_RETURN(set.trie, ByteTrie::FromUnits(units, records, reader));
  int beginnings = 0;
  for (int byte = 0; byte < 256; ++byte) {
    ByteTrie::Node node = ByteTrie::kRoot;
    if (!set.trie.Step(node, static_cast<uint8_t>(byte))) continue;
    set.begins[static_cast<size_t>(byte)] = true;
    set.any = true;
    set.only_begin = ++beginnings == 1 ? std::optional(static_cast<char>(byte)) : std::nullopt;
  }
  return set;
}

absl::StatusOr<AddedTokens> AddedTokens::Read(SectionReader reader, int32_t ids) {
  AddedTokens tokens;
  tokens.records_ = reader.Array<Record>();
  tokens.text_ = reader.Text();
  const auto plain = reader.Array<ByteTrie::Unit>();
  const auto normalized = reader.Array<ByteTrie::Unit>();
  KS_RETURN_IF_ERROR(reader.Finish());
  for (const Record& record : tokens.records_) {
    if (record.id < 0 || record.id >= ids) return reader.Damaged(Cat("the id ", record.id, " of ", ids));
    if (record.pattern_begin > tokens.text_.size() ||
        record.pattern_size > tokens.text_.size() - record.pattern_begin) {
      return reader.Damaged("a token outside the text");
    }
  }
  const auto count = static_cast<int32_t>(std::min<size_t>(tokens.records_.size(), INT32_MAX));
  KS_ASSIGN_OR_RETURN(tokens.plain_, ReadSet(plain, count, reader));
  KS_ASSIGN_OR_RETURN(tokens.normalized_, ReadSet(normalized, count, reader));
  return tokens;
}

std::optional<AddedTokens::Found> AddedTokens::FindNext(std::string_view text, const Set& set, size_t from,
                                                        size_t done) const {
  if (!set.any) return std::nullopt;
  while (from < text.size()) {
    if (set.only_begin) {
      const void* at = std::memchr(text.data() + from, *set.only_begin, text.size() - from);
      if (at == nullptr) return std::nullopt;
      from = static_cast<size_t>(static_cast<const char*>(at) - text.data());
    } else if (!set.begins[static_cast<uint8_t>(text[from])]) {
      ++from;
      continue;
    }
    const ByteTrie::Match match = set.trie.Longest(ByteTrie::kRoot, text.data() + from, text.size() - from);
    if (match.value < 0) {
      ++from;
      continue;
    }
    const Record& record = records_[static_cast<size_t>(match.value)];
    const size_t match_end = from + match.length;
    if ((record.flags & kSingleWord) != 0 && !StandsAlone(text, from, match_end)) {
      from = match_end;  // the reference passes over the whole of it
      continue;
    }
    Found found{record.id, from, match_end, match_end};
    if ((record.flags & kLstrip) != 0) {
      while (found.begin > done) {
        const size_t previous = PreviousCodePoint(text, found.begin);
        if (!HasAt(text, previous, CharProperties::kWhitespace)) break;
        found.begin = previous;
      }
    }
    if ((record.flags & kRstrip) != 0) {
      while (found.end < text.size() && HasAt(text, found.end, CharProperties::kWhitespace)) {
        NextCodePoint(text, found.end);
      }
    }
    return found;
  }
  return std::nullopt;
}

std::optional<int32_t> AddedTokens::Find(std::string_view token, const Vocabulary& vocabulary) const {
  for (const Record& record : records_) {
    if (vocabulary.Find(record.id).token == token) return record.id;
  }
  return std::nullopt;
}

std::optional<std::string_view> AddedTokens::DecodedForm(int32_t id) const {
  for (const Record& record : records_) {
    if (record.id == id && (record.flags & kDecodesAsPattern) != 0) {
      return text_.substr(record.pattern_begin, record.pattern_size);
    }
  }
  return std::nullopt;
}

}  // namespace ks
