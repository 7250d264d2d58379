// tokenizer.json as the reference reads it: what it ignores is ignored, what it defaults is defaulted. Tested by
// tokenizer_json_test.cc and fuzzed (fuzz/tokenizer_json_fuzz.cc).
#include <algorithm>
#include <optional>
#include <set>

#include "absl/container/flat_hash_map.h"
#include "base/json.h"
#include "base/status.h"
#include "base/status_macros.h"
#include "text/tokenizer_spec.h"

namespace ks {
namespace {

constexpr int64_t kMaxId =
    (1 << 22) - 1;  // the vocabulary is an array by id; the largest known ones have 250,000 tokens
constexpr int64_t kMaxTypeId = 255;

absl::Status Unsupported(const JsonValue& component, std::string_view type, std::string_view supported) {
  const absl::Status problem = component.Problem(Cat("type ", type, " is not supported (supported: ", supported, ")"));
  return FailedPrecondition(ToStd(problem.message()));
}

// The component's "type"; "" where the component or its type is absent or null.
absl::StatusOr<std::string_view> TypeOf(const JsonValue* component) {
  if (component == nullptr) return "";
  KS_ASSIGN_OR_RETURN(const JsonObject object, component->AsObject());
  const JsonValue* type = object.FindNonNull("type");
  return type == nullptr ? absl::StatusOr<std::string_view>("") : type->AsString();
}

absl::StatusOr<NormalizerOptions> ReadNormalizer(const JsonValue* component) {
  if (component == nullptr) return NormalizerOptions{};
  KS_ASSIGN_OR_RETURN(const std::string_view type, TypeOf(component));
  if (type != "BertNormalizer") return Unsupported(*component, type, "BertNormalizer, null");
  KS_ASSIGN_OR_RETURN(const JsonObject object, component->AsObject());
  NormalizerOptions options;
  KS_ASSIGN_OR_RETURN(options.clean_text, object.OptionalBool("clean_text", true));
  KS_ASSIGN_OR_RETURN(options.handle_chinese_chars, object.OptionalBool("handle_chinese_chars", true));
  KS_ASSIGN_OR_RETURN(options.lowercase, object.OptionalBool("lowercase", true));
  KS_ASSIGN_OR_RETURN(options.strip_accents, object.OptionalBool("strip_accents", options.lowercase));
  return options;
}

absl::Status CheckPreTokenizer(const JsonObject& root) {
  KS_ASSIGN_OR_RETURN(const JsonValue component, root.Require("pre_tokenizer"));
  if (component.is_null()) return Unsupported(component, "null", "BertPreTokenizer");
  KS_ASSIGN_OR_RETURN(const std::string_view type, TypeOf(&component));
  return type == "BertPreTokenizer" ? absl::OkStatus() : Unsupported(component, type, "BertPreTokenizer");
}

absl::StatusOr<WordPieceSpec> ReadModel(const JsonObject& root) {
  KS_ASSIGN_OR_RETURN(const JsonValue component, root.Require("model"));
  KS_ASSIGN_OR_RETURN(std::string_view type, TypeOf(&component));
  KS_ASSIGN_OR_RETURN(const JsonObject object, component.AsObject());
  // Old files give no type; then the members tell.
  if (type.empty()) type = object.Find("merges") != nullptr ? "BPE" : "WordPiece";
  if (type != "WordPiece") return Unsupported(component, type, "WordPiece");

  WordPieceSpec spec;
  KS_ASSIGN_OR_RETURN(spec.unknown_token, object.RequireString("unk_token"));
  KS_ASSIGN_OR_RETURN(spec.continuing_prefix, object.RequireString("continuing_subword_prefix"));
  KS_ASSIGN_OR_RETURN(const int64_t max_chars,
                      object.RequireInt("max_input_chars_per_word", 1, WordPiece::kMaxCharsPerWord));
  spec.max_chars_per_word = static_cast<uint32_t>(max_chars);
  KS_ASSIGN_OR_RETURN(const JsonValue vocabulary, object.Require("vocab"));
  KS_ASSIGN_OR_RETURN(const JsonObject tokens, vocabulary.AsObject());
  spec.vocabulary.reserve(tokens.members().size());
  for (const JsonObject::Member& member : tokens.members()) {
    KS_ASSIGN_OR_RETURN(const int64_t id, member.value.AsInt(0, kMaxId));
    spec.vocabulary.push_back({std::string(member.key), static_cast<int32_t>(id)});
  }
  return spec;
}

// The reference does not take the ids of added tokens from the file: a token of the vocabulary keeps its id there, the
// others are numbered on from its size. A file that says otherwise would mean different things to different readers.
absl::StatusOr<std::vector<AddedTokenSpec>> ReadAddedTokens(const JsonObject& root, const WordPieceSpec& model) {
  std::vector<AddedTokenSpec> result;
  const JsonValue* list = root.FindNonNull("added_tokens");
  if (list == nullptr) return result;
  absl::flat_hash_map<std::string_view, int32_t> ids;
  for (const VocabularyEntry& entry : model.vocabulary) ids[entry.token] = entry.id;
  auto next_id = static_cast<int32_t>(model.vocabulary.size());
  KS_ASSIGN_OR_RETURN(const std::vector<JsonValue> values, list->AsArray());
  std::set<std::string, std::less<>> seen;
  for (const JsonValue& value : values) {
    KS_ASSIGN_OR_RETURN(const JsonObject object, value.AsObject());
    AddedTokenSpec token;
    KS_ASSIGN_OR_RETURN(token.content, object.RequireString("content"));
    KS_ASSIGN_OR_RETURN(const int64_t id, object.RequireInt("id", 0, kMaxId));
    KS_ASSIGN_OR_RETURN(token.special, object.OptionalBool("special", false));
    KS_ASSIGN_OR_RETURN(token.single_word, object.OptionalBool("single_word", false));
    KS_ASSIGN_OR_RETURN(token.lstrip, object.OptionalBool("lstrip", false));
    KS_ASSIGN_OR_RETURN(token.rstrip, object.OptionalBool("rstrip", false));
    KS_ASSIGN_OR_RETURN(token.normalized, object.OptionalBool("normalized", !token.special));
    if (token.content.empty()) return value.Problem("content: empty");
    if (!seen.insert(token.content).second)
      return value.Problem(Cat("content: \"", token.content, "\" is given twice"));
    const auto known = ids.find(token.content);
    token.id = known != ids.end() ? known->second : next_id++;
    if (token.id != id) {
      return value.Problem(Cat("id: \"", token.content, "\" has the id ", token.id, " by the vocabulary, found ", id));
    }
    result.push_back(std::move(token));
  }
  return result;
}

// [token, id], as BertProcessing names its special tokens.
absl::StatusOr<int32_t> ReadTokenPair(const JsonObject& object, std::string_view key) {
  KS_ASSIGN_OR_RETURN(const JsonValue value, object.Require(key));
  KS_ASSIGN_OR_RETURN(const std::vector<JsonValue> pair, value.AsArray());
  if (pair.size() != 2) return value.Unexpected("[token, id]");
  KS_ASSIGN_OR_RETURN(const int64_t id, pair[1].AsInt(0, kMaxId));
  return static_cast<int32_t>(id);
}

using SpecialTokens = absl::flat_hash_map<std::string_view, std::vector<int32_t>>;

absl::StatusOr<SpecialTokens> ReadSpecialTokens(const JsonObject& processor) {
  SpecialTokens result;
  KS_ASSIGN_OR_RETURN(const JsonValue map, processor.Require("special_tokens"));
  KS_ASSIGN_OR_RETURN(const JsonObject tokens, map.AsObject());
  for (const JsonObject::Member& member : tokens.members()) {
    KS_ASSIGN_OR_RETURN(const JsonObject token, member.value.AsObject());
    KS_ASSIGN_OR_RETURN(const JsonValue list, token.Require("ids"));
    KS_ASSIGN_OR_RETURN(const std::vector<JsonValue> ids, list.AsArray());
    for (const JsonValue& value : ids) {
      KS_ASSIGN_OR_RETURN(const int64_t id, value.AsInt(0, kMaxId));
      result[member.key].push_back(static_cast<int32_t>(id));
    }
  }
  return result;
}

absl::StatusOr<std::vector<TemplatePiece>> ReadTemplate(const JsonObject& processor, std::string_view key,
                                                        const SpecialTokens& special_tokens) {
  KS_ASSIGN_OR_RETURN(const JsonValue list, processor.Require(key));
  KS_ASSIGN_OR_RETURN(const std::vector<JsonValue> values, list.AsArray());
  std::vector<TemplatePiece> pieces;
  for (const JsonValue& value : values) {
    KS_ASSIGN_OR_RETURN(const JsonObject piece, value.AsObject());
    const JsonValue* text = piece.Find("Sequence");
    const JsonValue* special = piece.Find("SpecialToken");
    if ((text == nullptr) == (special == nullptr)) return value.Problem("expected a Sequence or a SpecialToken");
    KS_ASSIGN_OR_RETURN(const JsonObject object, (text != nullptr ? text : special)->AsObject());
    KS_ASSIGN_OR_RETURN(const std::string_view id, object.RequireString("id"));
    KS_ASSIGN_OR_RETURN(const int64_t type, object.RequireInt("type_id", 0, kMaxTypeId));
    const auto type_id = static_cast<int32_t>(type);
    if (text != nullptr) {
      if (id != "A" && id != "B") return text->Problem("id: expected A or B");
      pieces.push_back({id == "A" ? TemplatePiece::kFirstText : TemplatePiece::kSecondText, type_id});
      continue;
    }
    const auto found = special_tokens.find(id);
    if (found == special_tokens.end()) return special->Problem(Cat("id: \"", id, "\" is not in special_tokens"));
    for (const int32_t token : found->second) pieces.push_back({token, type_id});
  }
  const bool pair = key == "pair";
  if (!IsTemplate(pieces, pair)) {
    return FailedPrecondition(
        ToStd(list.Unexpected(pair ? "A once and B once after it" : "A once and no B").message()));
  }
  return pieces;
}

absl::StatusOr<TemplateSpec> ReadPostProcessor(const JsonValue* component) {
  constexpr TemplatePiece kFirst{TemplatePiece::kFirstText, 0}, kSecond{TemplatePiece::kSecondText, 1};
  if (component == nullptr) return TemplateSpec{{kFirst}, {kFirst, kSecond}};
  KS_ASSIGN_OR_RETURN(const std::string_view type, TypeOf(component));
  KS_ASSIGN_OR_RETURN(const JsonObject object, component->AsObject());
  if (type == "BertProcessing") {
    KS_ASSIGN_OR_RETURN(const int32_t cls, ReadTokenPair(object, "cls"));
    KS_ASSIGN_OR_RETURN(const int32_t sep, ReadTokenPair(object, "sep"));
    return TemplateSpec{{{cls, 0}, kFirst, {sep, 0}}, {{cls, 0}, kFirst, {sep, 0}, kSecond, {sep, 1}}};
  }
  if (type == "TemplateProcessing") {
    KS_ASSIGN_OR_RETURN(const SpecialTokens special_tokens, ReadSpecialTokens(object));
    TemplateSpec spec;
    KS_ASSIGN_OR_RETURN(spec.single, ReadTemplate(object, "single", special_tokens));
    KS_ASSIGN_OR_RETURN(spec.pair, ReadTemplate(object, "pair", special_tokens));
    return spec;
  }
  return Unsupported(*component, type, "BertProcessing, TemplateProcessing, null");
}

absl::StatusOr<DecoderSpec> ReadDecoder(const JsonValue* component) {
  if (component == nullptr) return DecoderSpec{.wordpiece = false};
  KS_ASSIGN_OR_RETURN(const std::string_view type, TypeOf(component));
  if (type != "WordPiece") return Unsupported(*component, type, "WordPiece, null");
  KS_ASSIGN_OR_RETURN(const JsonObject object, component->AsObject());
  DecoderSpec spec;
  KS_ASSIGN_OR_RETURN(spec.prefix, object.RequireString("prefix"));
  KS_ASSIGN_OR_RETURN(spec.cleanup, object.OptionalBool("cleanup", true));
  return spec;
}

// Special tokens of the template have to be ids that exist.
absl::Status CheckTemplateIds(const TokenizerSpec& spec, std::string_view name) {
  std::set<int32_t> ids;
  for (const VocabularyEntry& entry : spec.model.vocabulary) ids.insert(entry.id);
  for (const AddedTokenSpec& token : spec.added_tokens) ids.insert(token.id);
  for (const auto* pieces : {&spec.post_processor.single, &spec.post_processor.pair}) {
    for (const TemplatePiece& piece : *pieces) {
      if (piece.id >= 0 && !ids.contains(piece.id)) {
        return InvalidArgument(name, ": post_processor: the special token ", piece.id, " is no id of the vocabulary");
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TokenizerSpec> ReadTokenizerJson(std::string_view json, std::string_view name) {
  KS_ASSIGN_OR_RETURN(const JsonDocument document, JsonDocument::Parse(json, std::string(name)));
  KS_ASSIGN_OR_RETURN(const JsonObject root, document.root().AsObject());
  if (const JsonValue* version = root.FindNonNull("version")) {
    KS_ASSIGN_OR_RETURN(const std::string_view text, version->AsString());
    if (text != "1.0") return FailedPrecondition(name, ": version: expected 1.0, found \"", text, "\"");
  }
  TokenizerSpec spec;
  KS_ASSIGN_OR_RETURN(spec.model, ReadModel(root));
  KS_ASSIGN_OR_RETURN(spec.normalizer, ReadNormalizer(root.FindNonNull("normalizer")));
  KS_RETURN_IF_ERROR(CheckPreTokenizer(root));
  KS_ASSIGN_OR_RETURN(spec.added_tokens, ReadAddedTokens(root, spec.model));
  KS_ASSIGN_OR_RETURN(spec.post_processor, ReadPostProcessor(root.FindNonNull("post_processor")));
  KS_ASSIGN_OR_RETURN(spec.decoder, ReadDecoder(root.FindNonNull("decoder")));
  KS_RETURN_IF_ERROR(CheckTemplateIds(spec, name));
  return spec;
}

}  // namespace ks
