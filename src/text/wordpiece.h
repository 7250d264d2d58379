// The WordPiece model: a word becomes the longest piece of the vocabulary that it begins with, then the longest that
// continues it, and so on; a word that cannot be covered so is the unknown token as a whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "text/byte_trie.h"
#include "text/section_file.h"

namespace ks {

struct VocabularyEntry {
  std::string token;
  int32_t id;
};

struct WordPieceSpec {
  std::vector<VocabularyEntry> vocabulary;  // tokens and ids all differ; no order
  std::string unknown_token;                // in the vocabulary
  std::string continuing_prefix;            // of pieces that continue a word: "##"
  uint32_t max_chars_per_word = 100;        // longer words are unknown
};

// A view of the section. Copyable; the bytes must outlive it.
class WordPiece {
 public:
  // Longer words could not be told from hostile input, and every one costs their square in the worst case.
  static constexpr uint32_t kMaxCharsPerWord = 4096;

  // Errors: kInvalidArgument if the unknown token is not in the vocabulary, or the vocabulary is too large.
  static absl::StatusOr<SectionWriter> Build(const WordPieceSpec& spec);

  WordPiece() = default;
  // Errors: kDataLoss. `ids`: all ids are below it.
  static absl::StatusOr<WordPiece> Read(SectionReader reader, int32_t ids);

  // Calls emit(id, begin, end) for each piece of `word` (its bytes [begin, end)). False if the word is unknown; then
  // some pieces may have been emitted, which the caller takes back. At most (longest token) x (pieces) steps.
  template <typename Emit>
  bool Split(std::string_view word, Emit emit) const {
    ByteTrie::Node start = ByteTrie::kRoot;
    for (size_t begin = 0; begin < word.size();) {
      const ByteTrie::Match match = trie_.Longest(start, word.data() + begin, word.size() - begin);
      if (match.value < 0) return false;
      emit(match.value, begin, begin + match.length);
      begin += match.length;
      if (begin == word.size()) break;
      if (!continuation_) return false;
      start = *continuation_;
    }
    return true;
  }

  int32_t unknown_id() const { return unknown_id_; }
  uint32_t max_chars_per_word() const { return max_chars_per_word_; }
  std::optional<int32_t> Find(std::string_view token) const { return trie_.Find(token); }

 private:
  ByteTrie trie_;
  // Where the pieces that continue a word begin: the node of the prefix. None if no token has the prefix.
  std::optional<ByteTrie::Node> continuation_;
  int32_t unknown_id_ = 0;
  uint32_t max_chars_per_word_ = 0;
};

}  // namespace ks
