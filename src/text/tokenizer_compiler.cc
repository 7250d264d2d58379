// One section for each step. Tested by tokenizer_test.cc.
#include <algorithm>

#include "base/status.h"
#include "base/status_macros.h"
#include "text/char_map.h"
#include "text/tokenizer_spec.h"
#include "text/vocabulary.h"

namespace ks {
namespace {

absl::StatusOr<SectionWriter> BuildVocabulary(const TokenizerSpec& spec) {
  int32_t max_id = -1;
  for (const VocabularyEntry& entry : spec.model.vocabulary) max_id = std::max(max_id, entry.id);
  for (const AddedTokenSpec& token : spec.added_tokens) max_id = std::max(max_id, token.id);
  std::vector<Vocabulary::Entry> entries(static_cast<size_t>(max_id) + 1);
  const auto at = [&](int32_t id) -> Vocabulary::Entry& { return entries[static_cast<size_t>(id)]; };
  for (const VocabularyEntry& entry : spec.model.vocabulary) {
    if (at(entry.id).present) {
      return InvalidArgument("model.vocab: \"", at(entry.id).token, "\" and \"", entry.token, "\" have the id ",
                             entry.id);
    }
    at(entry.id) = {entry.token, true, false};
  }
  for (const AddedTokenSpec& token : spec.added_tokens) {
    if (at(token.id).present && at(token.id).token != token.content) {
      return InvalidArgument("added_tokens: \"", token.content, "\" has the id ", token.id, " of \"",
                             at(token.id).token, "\"");
    }
    at(token.id) = {token.content, true, token.special};
  }
  return Vocabulary::Build(entries);
}

}  // namespace

absl::StatusOr<std::string> CompileTokenizer(const TokenizerSpec& spec) {
  SectionFileWriter file;
  file.Add(SectionId::kNormalizer, BuildNormalizerSection(spec.normalizer));
  file.Add(SectionId::kCharMap, CharMap::Build(spec.normalizer));
  KS_ASSIGN_OR_RETURN(const SectionWriter vocabulary, BuildVocabulary(spec));
  file.Add(SectionId::kVocabulary, vocabulary);
  KS_ASSIGN_OR_RETURN(const SectionWriter model, WordPiece::Build(spec.model));
  file.Add(SectionId::kWordPiece, model);
  KS_ASSIGN_OR_RETURN(const SectionWriter added_tokens, AddedTokens::Build(spec.added_tokens, spec.normalizer));
  file.Add(SectionId::kAddedTokens, added_tokens);
  file.Add(SectionId::kPostProcessor, TemplateProcessor::Build(spec.post_processor));
  file.Add(SectionId::kDecoder, WordPieceDecoder::Build(spec.decoder));
  return file.Finish();
}

}  // namespace ks
