// Text to token ids and back, as the `tokenizers` package of Hugging Face does it, from the same tokenizer.json.
//
//   KS_ASSIGN_OR_RETURN(Tokenizer tokenizer, Tokenizer::FromJson(json, "tokenizer.json"));
//   Encoding encoding;  // reused from text to text
//   KS_RETURN_IF_ERROR(tokenizer.Encode("I love this", {.max_tokens = 256}, encoding));
//
// Supported: the BERT family (BertNormalizer, BertPreTokenizer, WordPiece, BertProcessing or TemplateProcessing, the
// WordPiece decoder, added tokens). Ids, offsets and special-token mask equal those of the reference, code point by
// code point (tests/tokenizer_parity.py). The file's own `padding` and `truncation` are ignored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ks {

// A range of the text that was given, in Unicode code points: [begin, end). Special tokens of the template have {0, 0};
// in a pair each text counts from its own beginning.
struct Offset {
  uint32_t begin = 0;
  uint32_t end = 0;
  friend bool operator==(const Offset&, const Offset&) = default;
};

// T tokens of one text or pair, special tokens included.
struct Encoding {
  std::vector<int32_t> ids;           // [T]
  std::vector<int32_t> type_ids;      // [T], the segment: 0, or 1 in the second text of a pair
  std::vector<Offset> offsets;        // [T] if asked for, otherwise empty
  std::vector<uint8_t> special_mask;  // [T] if asked for: 1 where the template put the token; otherwise empty
  bool truncated = false;             // tokens of the text were left out

  void Clear();
};

enum class TruncationSide { kRight, kLeft };  // where tokens are left out

struct EncodeOptions {
  int max_tokens = 0;  // of the whole encoding, special tokens included; 0 is no limit
  TruncationSide side = TruncationSide::kRight;
  bool add_special_tokens = true;
  bool with_offsets = false;
  bool with_special_mask = false;
};

// Immutable: any number of threads use one object without locks. Moves are cheap; a moved-from object may only be
// destroyed or assigned to.
class Tokenizer {
 public:
  // Reads the text of a tokenizer.json. `name` begins every message. Takes some ten milliseconds: servers map the
  // compiled form instead. Errors:
  //   kInvalidArgument     not such a file; the message gives the path, what was expected and what was found
  //   kFailedPrecondition  a component of a type that is not supported; the message names it and the supported ones
  static absl::StatusOr<Tokenizer> FromJson(std::string_view json, std::string_view name);

  // Takes what Compile() made, without copying: `compiled` must outlive the object (usually a mapping of
  // tokenizer.bin), and begin at a multiple of 8. All offsets and ids in it are checked here, so that no content of it
  // can harm later. Well under a millisecond; nothing is parsed. Errors:
  //   kDataLoss            damaged: the message says which section and how
  //   kFailedPrecondition  of another format version; the message names both
  static absl::StatusOr<Tokenizer> FromCompiled(std::span<const std::byte> compiled);

  // The bytes for FromCompiled: the same for the same tokenizer.json, on every machine.
  std::string Compile() const;

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // Tokenises `text` into `out`, whose capacity is reused. An empty text gives the special tokens alone.
  //
  // Cost: linear in `text`, whatever is in it; with truncation on the right it ends once the window is full (but for
  // the UTF-8 check). No allocation per word, none at all once `out` is large enough (truncation on the left aside).
  // Errors (kInvalidArgument): `text` is not valid UTF-8 (the message gives the position) or is 2 GiB or longer;
  // max_tokens is below the number of special tokens.
  absl::Status Encode(std::string_view text, const EncodeOptions& options, Encoding& out) const;

  // The same for two texts. Truncation takes from the longer one first, then from both alike, the odd token going to
  // the longer one: where both overflow the window alone and the room is odd, both are read to their ends to compare
  // them.
  absl::Status EncodePair(std::string_view a, std::string_view b, const EncodeOptions& options, Encoding& out) const;

  // Cuts one text into consecutive windows of at most `max_tokens` tokens, special tokens in each, without overlap; a
  // text without tokens gives one window. Sets `truncated` in none. Linear in `text`. Errors (kInvalidArgument): as
  // Encode, and max_tokens that leaves no room beside the special tokens.
  absl::Status EncodeWindows(std::string_view text, int max_tokens, std::vector<Encoding>& out) const;

  // The text of `ids`. Ids that are no token are left out, as the reference does.
  std::string Decode(std::span<const int32_t> ids, bool skip_special_tokens) const;

  // One more than the highest id. Not every id below it need be a token.
  int32_t vocab_size() const;
  std::optional<int32_t> TokenToId(std::string_view token) const;
  // Empty for an id that is no token. The view lives as long as the object (or the mapping it was made from).
  std::string_view IdToToken(int32_t id) const&;
  std::string_view IdToToken(int32_t id) const&& = delete;
  // How many special tokens the template adds to one text or to a pair.
  int special_tokens_added(bool pair) const;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace ks
