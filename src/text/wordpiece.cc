// Tested by wordpiece_test.cc.
#include "text/wordpiece.h"

#include <algorithm>

#include "base/status.h"
#include "base/status_macros.h"

namespace ks {

absl::StatusOr<SectionWriter> WordPiece::Build(const WordPieceSpec& spec) {
  std::vector<ByteTrie::Entry> entries;
  entries.reserve(spec.vocabulary.size());
  std::optional<int32_t> unknown_id;
  for (const VocabularyEntry& entry : spec.vocabulary) {
    entries.push_back({entry.token, entry.id});
    if (entry.token == spec.unknown_token) unknown_id = entry.id;
  }
  if (!unknown_id) return InvalidArgument("model.unk_token: \"", spec.unknown_token, "\" is not in the vocabulary");
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  KS_ASSIGN_OR_RETURN(const std::vector<ByteTrie::Unit> units, ByteTrie::Build(entries));

  SectionWriter writer;
  writer.Array(std::span<const ByteTrie::Unit>(units));
  writer.Text(spec.continuing_prefix);
  writer.Value(*unknown_id);
  writer.Value(spec.max_chars_per_word);
  return writer;
}

absl::StatusOr<WordPiece> WordPiece::Read(SectionReader reader, int32_t ids) {
  WordPiece model;
  const auto units = reader.Array<ByteTrie::Unit>();
  const std::string_view prefix = reader.Text();
  model.unknown_id_ = reader.Value<int32_t>();
  model.max_chars_per_word_ = reader.Value<uint32_t>();
  KS_RETURN_IF_ERROR(reader.Finish());
  if (model.unknown_id_ < 0 || model.unknown_id_ >= ids) {
    return reader.Damaged(Cat("the unknown token has the id ", model.unknown_id_, " of ", ids));
  }
  if (model.max_chars_per_word_ < 1 || model.max_chars_per_word_ > kMaxCharsPerWord) {
    return reader.Damaged(Cat("words of ", model.max_chars_per_word_, " characters, expected 1 to ", kMaxCharsPerWord));
  }
  KS_ASSIGN_OR_RETURN(model.trie_, ByteTrie::FromUnits(units, ids, reader));
  model.continuation_ = model.trie_.Walk(prefix);
  return model;
}

}  // namespace ks
