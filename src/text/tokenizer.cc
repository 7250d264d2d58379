// Puts the steps together: added tokens are found first, the text between them is normalised and split into words
// (BertWords), words become tokens (TokenSink over WordPiece), and the template puts special tokens around what
// truncation leaves. Each step is a view of its section of the compiled form. Tested by tokenizer_test.cc.
#include "text/tokenizer.h"

#include <algorithm>
#include <array>

#include "base/status.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "text/added_tokens.h"
#include "text/bert_words.h"
#include "text/char_map.h"
#include "text/template_processor.h"
#include "text/token_sink.h"
#include "text/tokenizer_spec.h"
#include "text/truncation.h"
#include "text/vocabulary.h"
#include "text/wordpiece.h"
#include "text/wordpiece_decoder.h"

namespace ks {
namespace {

constexpr size_t kMaxTextBytes = size_t{1} << 31;  // offsets are 32 bits wide

// The number of code points before a byte of valid UTF-8, for positions that mostly ascend.
class CodePointCounter {
 public:
  CodePointCounter(std::string_view text, uint32_t first) : text_(text), count_(first) {}

  uint32_t At(size_t pos) {
    if (pos >= pos_) {
      count_ += static_cast<uint32_t>(CountCodePoints(text_.substr(pos_, pos - pos_)));
    } else {
      count_ -= static_cast<uint32_t>(CountCodePoints(text_.substr(pos, pos_ - pos)));
    }
    pos_ = pos;
    return count_;
  }

 private:
  std::string_view text_;
  size_t pos_ = 0;
  uint32_t count_;
};

}  // namespace

void Encoding::Clear() {
  ids.clear();
  type_ids.clear();
  offsets.clear();
  special_mask.clear();
  truncated = false;
}

struct Tokenizer::Impl {
  std::string owned;  // empty if the compiled form belongs to somebody else
  NormalizerOptions normalizer;
  CharMap char_map;
  Vocabulary vocabulary;
  WordPiece model;
  AddedTokens added_tokens;
  TemplateProcessor post_processor;
  WordPieceDecoder decoder;
  std::span<const std::byte> compiled;

  absl::Status Read(std::span<const std::byte> bytes);

  // Appends the tokens of `text` to the sink, until it has enough.
  template <bool kOffsets>
  void Tokenize(std::string_view text, TokenSink<kOffsets>& sink) const;
  // The part of `text` between two added tokens, where some are looked for in the normalised text.
  template <bool kOffsets>
  bool TokenizeNormalized(std::string_view text, uint32_t origin, TokenSink<kOffsets>& sink,
                          WordBuffer<kOffsets, TokenSink<kOffsets>>& word) const;

  absl::Status CheckText(std::string_view text) const;
  absl::Status EncodeTexts(std::span<const std::string_view> texts, const EncodeOptions& options, Encoding& out) const;
  template <bool kOffsets>
  void EncodeChecked(std::span<const std::string_view> texts, const EncodeOptions& options, size_t room,
                     Encoding& out) const;
  size_t CountTokens(std::string_view text) const;
  void Assemble(std::span<const size_t> lengths, const EncodeOptions& options, Encoding& out) const;
};

absl::Status Tokenizer::Impl::Read(std::span<const std::byte> bytes) {
  compiled = bytes;
  KS_ASSIGN_OR_RETURN(const SectionFile file, SectionFile::Open(bytes));
  KS_ASSIGN_OR_RETURN(SectionReader section, file.Find(SectionId::kNormalizer));
  KS_ASSIGN_OR_RETURN(normalizer, ReadNormalizerSection(section));
  KS_ASSIGN_OR_RETURN(section, file.Find(SectionId::kCharMap));
  KS_ASSIGN_OR_RETURN(char_map, CharMap::Read(section));
  KS_ASSIGN_OR_RETURN(section, file.Find(SectionId::kVocabulary));
  KS_ASSIGN_OR_RETURN(vocabulary, Vocabulary::Read(section));
  const int32_t ids = vocabulary.size();
  KS_ASSIGN_OR_RETURN(section, file.Find(SectionId::kWordPiece));
  KS_ASSIGN_OR_RETURN(model, WordPiece::Read(section, ids));
  KS_ASSIGN_OR_RETURN(section, file.Find(SectionId::kAddedTokens));
  KS_ASSIGN_OR_RETURN(added_tokens, AddedTokens::Read(section, ids));
  KS_ASSIGN_OR_RETURN(section, file.Find(SectionId::kPostProcessor));
  KS_ASSIGN_OR_RETURN(post_processor, TemplateProcessor::Read(section, ids));
  KS_ASSIGN_OR_RETURN(section, file.Find(SectionId::kDecoder));
  KS_ASSIGN_OR_RETURN(decoder, WordPieceDecoder::Read(section));
  return absl::OkStatus();
}

template <bool kOffsets>
void Tokenizer::Impl::Tokenize(std::string_view text, TokenSink<kOffsets>& sink) const {
  WordBuffer<kOffsets, TokenSink<kOffsets>> word(model.max_chars_per_word(), sink);
  BertWords<kOffsets, TokenSink<kOffsets>> words(normalizer, char_map, word);
  CodePointCounter origins(text, 0);
  const auto origin_at = [&](size_t pos) { return kOffsets ? origins.At(pos) : 0; };
  added_tokens.Split(
      text, false,
      [&](size_t begin, size_t end) {
        const std::string_view piece = text.substr(begin, end - begin);
        if (added_tokens.any_normalized()) return TokenizeNormalized(piece, origin_at(begin), sink, word);
        return words.Scan(piece, origin_at(begin));
      },
      [&](int32_t id, size_t begin, size_t end) {
        const uint32_t origin = origin_at(begin);
        return sink.OnAddedToken(id, {origin, origin_at(end)});
      });
}

template <bool kOffsets>
bool Tokenizer::Impl::TokenizeNormalized(std::string_view text, uint32_t origin, TokenSink<kOffsets>& sink,
                                         WordBuffer<kOffsets, TokenSink<kOffsets>>& word) const {
  std::vector<NormalizedChar> chars;
  Normalize(text, normalizer, origin, chars);
  std::string normalized;
  for (const NormalizedChar& x : chars) AppendUtf8(x.c, normalized);
  CodePointCounter indices(normalized, 0);
  return added_tokens.Split(
      normalized, true,
      [&](size_t begin, size_t end) {
        const uint32_t first = indices.At(begin);
        const std::span<const NormalizedChar> piece = std::span(chars).subspan(first, indices.At(end) - first);
        return SplitNormalized<kOffsets>(piece, word) && word.Flush();
      },
      [&](int32_t id, size_t begin, size_t end) {
        const NormalizedChar& first = chars[indices.At(begin)];
        const NormalizedChar& last = chars[indices.At(end) - 1];
        return sink.OnAddedToken(id, {first.origin, last.origin + 1});
      });
}

absl::Status Tokenizer::Impl::CheckText(std::string_view text) const {
  if (text.size() >= kMaxTextBytes)
    return InvalidArgument("a text of ", text.size(), " bytes, the limit is ", kMaxTextBytes);
  if (const auto invalid = FindInvalidUtf8(text)) return InvalidArgument("invalid UTF-8 at byte ", *invalid);
  return absl::OkStatus();
}

absl::Status Tokenizer::Impl::EncodeTexts(std::span<const std::string_view> texts, const EncodeOptions& options,
                                          Encoding& out) const {
  out.Clear();
  for (const std::string_view text : texts) KS_RETURN_IF_ERROR(CheckText(text));
  size_t room = SIZE_MAX;
  if (options.max_tokens != 0) {
    const int special = options.add_special_tokens ? post_processor.special_tokens(texts.size() == 2) : 0;
    if (options.max_tokens < special) {
      return InvalidArgument("max_tokens: ", options.max_tokens, " is below the ", special, " special tokens");
    }
    room = static_cast<size_t>(options.max_tokens - special);
  }
  if (options.with_offsets) {
    EncodeChecked<true>(texts, options, room, out);
  } else {
    EncodeChecked<false>(texts, options, room, out);
  }
  return absl::OkStatus();
}

template <bool kOffsets>
void Tokenizer::Impl::EncodeChecked(std::span<const std::string_view> texts, const EncodeOptions& options, size_t room,
                                    Encoding& out) const {
  const TokenLimit limit{.room = room, .from_end = options.side == TruncationSide::kLeft && room != SIZE_MAX};
  TokenSink<kOffsets> first(model, limit, out);
  Tokenize(texts[0], first);
  if (texts.size() == 1) {
    const size_t kept = first.Keep(room);
    out.truncated = first.total() > kept;
    return Assemble({&kept, 1}, options, out);
  }

  Encoding second_tokens;
  TokenSink<kOffsets> second(model, limit, second_tokens);
  Tokenize(texts[1], second);
  PairLengths totals{first.total(), second.total()};
  // Both overflow alone, and the odd token goes to the longer one: only here has a text to be read beyond its window.
  const bool read_to_end = first.read_to_end() && second.read_to_end();
  if (!read_to_end && std::min(totals.first, totals.second) > room && room % 2 != 0) {
    totals = {CountTokens(texts[0]), CountTokens(texts[1])};
  }
  const PairLengths wanted = LongestFirst(totals, room);
  const std::array<size_t, 2> kept{first.Keep(wanted.first), second.Keep(wanted.second)};
  out.ids.insert(out.ids.end(), second_tokens.ids.begin(), second_tokens.ids.end());
  out.offsets.insert(out.offsets.end(), second_tokens.offsets.begin(), second_tokens.offsets.end());
  out.truncated = totals.first + totals.second > kept[0] + kept[1];
  Assemble(kept, options, out);
}

size_t Tokenizer::Impl::CountTokens(std::string_view text) const {
  Encoding none;
  TokenSink<false> sink(model, {.room = 0, .from_end = true}, none);
  Tokenize(text, sink);
  return sink.total();
}

// Puts the template around the tokens, which lie text after text at the beginning of `out`.
void Tokenizer::Impl::Assemble(std::span<const size_t> lengths, const EncodeOptions& options, Encoding& out) const {
  size_t at = 0;
  for (const TemplatePiece& piece : post_processor.pieces(lengths.size() == 2)) {
    size_t count = 0;
    if (piece.id < 0) {
      count = lengths[piece.id == TemplatePiece::kFirstText ? 0 : 1];
    } else if (options.add_special_tokens) {
      count = 1;
      out.ids.insert(out.ids.begin() + static_cast<ptrdiff_t>(at), piece.id);
      if (options.with_offsets) out.offsets.insert(out.offsets.begin() + static_cast<ptrdiff_t>(at), Offset{});
    }
    out.type_ids.insert(out.type_ids.end(), count, piece.type_id);
    if (options.with_special_mask) out.special_mask.insert(out.special_mask.end(), count, piece.id >= 0);
    at += count;
  }
}

Tokenizer::Tokenizer(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

absl::StatusOr<Tokenizer> Tokenizer::FromJson(std::string_view json, std::string_view name) {
  KS_ASSIGN_OR_RETURN(const TokenizerSpec spec, ReadTokenizerJson(json, name));
  absl::StatusOr<std::string> compiled = CompileTokenizer(spec);
  if (!compiled.ok()) return WithContext(compiled.status(), name);
  auto impl = std::make_unique<Impl>();
  impl->owned = *std::move(compiled);
  KS_RETURN_IF_ERROR(impl->Read(std::as_bytes(std::span(impl->owned))));
  return Tokenizer(std::move(impl));
}

absl::StatusOr<Tokenizer> Tokenizer::FromCompiled(std::span<const std::byte> compiled) {
  auto impl = std::make_unique<Impl>();
  KS_RETURN_IF_ERROR(impl->Read(compiled));
  return Tokenizer(std::move(impl));
}

std::string Tokenizer::Compile() const {
  return std::string(reinterpret_cast<const char*>(impl_->compiled.data()), impl_->compiled.size());
}

absl::Status Tokenizer::Encode(std::string_view text, const EncodeOptions& options, Encoding& out) const {
  return impl_->EncodeTexts({&text, 1}, options, out);
}

absl::Status Tokenizer::EncodePair(std::string_view a, std::string_view b, const EncodeOptions& options,
                                   Encoding& out) const {
  return impl_->EncodeTexts(std::array{a, b}, options, out);
}

absl::Status Tokenizer::EncodeWindows(std::string_view text, int max_tokens, std::vector<Encoding>& out) const {
  const int room = max_tokens - special_tokens_added(false);
  if (room < 1) {
    return InvalidArgument("max_tokens: ", max_tokens, " leaves no room beside the ", special_tokens_added(false),
                           " special tokens");
  }
  Encoding all;
  KS_RETURN_IF_ERROR(Encode(text, {.add_special_tokens = false}, all));
  const auto window = static_cast<size_t>(room);
  out.resize(std::max<size_t>(1, (all.ids.size() + window - 1) / window));
  for (size_t i = 0; i < out.size(); ++i) {
    const auto begin = all.ids.begin() + static_cast<ptrdiff_t>(i * window);
    const size_t length = std::min(window, all.ids.size() - i * window);
    out[i].Clear();
    out[i].ids.assign(begin, begin + static_cast<ptrdiff_t>(length));
    impl_->Assemble({&length, 1}, {}, out[i]);
  }
  return absl::OkStatus();
}

std::string Tokenizer::Decode(std::span<const int32_t> ids, bool skip_special_tokens) const {
  std::string text;
  bool first = true;
  for (const int32_t id : ids) {
    Vocabulary::Entry entry = impl_->vocabulary.Find(id);
    if (!entry.present) continue;
    if (const auto form = impl_->added_tokens.DecodedForm(id)) {
      // What counts as special is the string that is decoded.
      const std::optional<int32_t> other = TokenToId(*form);
      entry = {*form, true, other && impl_->vocabulary.Find(*other).special};
    }
    if (skip_special_tokens && entry.special) continue;
    impl_->decoder.Append(entry.token, first, text);
    first = false;
  }
  return text;
}

int32_t Tokenizer::vocab_size() const { return impl_->vocabulary.size(); }

std::optional<int32_t> Tokenizer::TokenToId(std::string_view token) const {
  if (const auto id = impl_->model.Find(token)) return id;
  return impl_->added_tokens.Find(token, impl_->vocabulary);
}

std::string_view Tokenizer::IdToToken(int32_t id) const& { return impl_->vocabulary.Find(id).token; }

int Tokenizer::special_tokens_added(bool pair) const { return impl_->post_processor.special_tokens(pair); }

}  // namespace ks
