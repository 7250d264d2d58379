// What a tokenizer.json says, in plain structs, and how it becomes the compiled form.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "text/added_tokens.h"
#include "text/bert_normalizer.h"
#include "text/template_processor.h"
#include "text/wordpiece.h"
#include "text/wordpiece_decoder.h"

namespace ks {

struct TokenizerSpec {
  NormalizerOptions normalizer;
  WordPieceSpec model;
  std::vector<AddedTokenSpec> added_tokens;
  TemplateSpec post_processor;
  DecoderSpec decoder;
};

// Reads tokenizer.json. `name` begins every message. Errors: as Tokenizer::FromJson.
absl::StatusOr<TokenizerSpec> ReadTokenizerJson(std::string_view json, std::string_view name);

// The bytes for Tokenizer::FromCompiled. Deterministic: the order of the vocabulary does not matter.
// Errors: kInvalidArgument where the parts contradict each other.
absl::StatusOr<std::string> CompileTokenizer(const TokenizerSpec& spec);

}  // namespace ks
