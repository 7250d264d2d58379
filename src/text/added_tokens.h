// Tokens beside the model: strings that are found in the text before anything is split, "[MASK]" for one.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "text/bert_normalizer.h"
#include "text/byte_trie.h"
#include "text/section_file.h"
#include "text/vocabulary.h"

namespace ks {

struct AddedTokenSpec {
  std::string content;  // not empty
  int32_t id = 0;
  bool single_word = false;  // found only where no letter or digit stands beside it
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // and after it
  bool normalized = false;   // looked for, itself normalised, in the normalised text; otherwise in the text as it came
  bool special = false;      // left out of decoded text on request
};

// A view of the section. Copyable; the bytes must outlive it.
class AddedTokens {
 public:
  // Errors: kInvalidArgument where a token normalises to nothing, or to the same as another.
  static absl::StatusOr<SectionWriter> Build(std::span<const AddedTokenSpec> tokens, const NormalizerOptions& options);

  AddedTokens() = default;
  // Errors: kDataLoss. `ids`: all ids are below it.
  static absl::StatusOr<AddedTokens> Read(SectionReader reader, int32_t ids);

  // Whether any token is looked for in the normalised text.
  bool any_normalized() const { return normalized_.any; }

  // Finds the tokens in `text`, the leftmost first, the longest of those that begin there. Calls on_text(begin, end)
  // for each piece between them that is not empty and on_token(id, begin, end) for each token, in order; ends when one
  // of them gives false, and then gives false. Linear in the text (times the longest token, in the worst case).
  template <typename OnText, typename OnToken>
  bool Split(std::string_view text, bool normalized, OnText on_text, OnToken on_token) const {
    size_t done = 0;
    for (size_t from = 0;;) {
      const std::optional<Found> found = FindNext(text, normalized ? normalized_ : plain_, from, done);
      if (!found) break;
      from = found->next;
      if (done < found->begin && !on_text(done, found->begin)) return false;
      if (!on_token(found->id, found->begin, found->end)) return false;
      done = found->end;
    }
    return done == text.size() || on_text(done, text.size());
  }

  // What `id` is decoded to, if it is an added token whose normalised form differs from its content.
  std::optional<std::string_view> DecodedForm(int32_t id) const;
  // The id of the added token that `vocabulary` spells `token`. A linear search.
  std::optional<int32_t> Find(std::string_view token, const Vocabulary& vocabulary) const;

 private:
  struct Record {
    int32_t id;
    uint32_t flags;
    uint32_t pattern_begin, pattern_size;  // in the text: what is looked for
  };
  static constexpr uint32_t kSingleWord = 1, kLstrip = 2, kRstrip = 4, kNormalized = 8, kDecodesAsPattern = 16;

  // The tokens that are looked for in one kind of text.
  struct Set {
    ByteTrie trie;  // values are indices of records
    bool any = false;
    std::array<bool, 256> begins = {};  // by first byte
    std::optional<char> only_begin;     // if all begin with the same
  };
  struct Found {
    int32_t id;
    size_t begin, end;  // with the white space that it takes along
    size_t next;        // where the search goes on
  };

  static absl::StatusOr<Set> ReadSet(std::span<const ByteTrie::Unit> units, int32_t records,
                                     const SectionReader& reader);
  // The first match at or after `from`; white space before `done` is not taken along.
  std::optional<Found> FindNext(std::string_view text, const Set& set, size_t from, size_t done) const;

  std::span<const Record> records_;
  std::string_view text_;
  Set plain_, normalized_;
};

}  // namespace ks
