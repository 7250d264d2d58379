// tokenizer.json from outside, and its compiled form. The input is a tokenizer.json, or, where it begins as one, a
// compiled tokeniser. What is accepted has to work: ids inside the vocabulary, offsets inside the text, the same from
// both forms.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "text/tokenizer.h"

namespace {

constexpr std::string_view kText = "Hello [CLS]a\u00c9 \u4e2d\uac01\U0001d160\u0327=\u0338 b! \u1b44x hello";

void Require(bool condition) {
  if (!condition) std::abort();
}

void Use(const ks::Tokenizer& tokenizer, ks::Encoding& encoding) {
  const ks::EncodeOptions options{.with_offsets = true, .with_special_mask = true};
  Require(tokenizer.Encode(kText, options, encoding).ok());
  const size_t code_points = ks::CountCodePoints(kText);
  for (size_t i = 0; i < encoding.ids.size(); ++i) {
    Require(encoding.ids[i] >= 0 && encoding.ids[i] < tokenizer.vocab_size());
    Require(encoding.offsets[i].end <= code_points);
  }
  Require(encoding.type_ids.size() == encoding.ids.size() && encoding.special_mask.size() == encoding.ids.size());
  tokenizer.Decode(encoding.ids, true);
  ks::Encoding cut;
  const int max_tokens = tokenizer.special_tokens_added(true) + 3;
  Require(tokenizer.EncodePair(kText, kText, {.max_tokens = max_tokens, .side = ks::TruncationSide::kLeft}, cut).ok());
  Require(cut.ids.size() <= static_cast<size_t>(max_tokens));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ks::Encoding from_json, from_compiled;
  if (size >= 8 && std::memcmp(data, "KSTOKEN", 8) == 0) {
    std::vector<uint64_t> aligned((size + 7) / 8);
    std::memcpy(aligned.data(), data, size);
    const auto tokenizer = ks::Tokenizer::FromCompiled(std::as_bytes(std::span(aligned)).first(size));
    if (tokenizer.ok()) Use(*tokenizer, from_compiled);
    return 0;
  }
  const auto tokenizer = ks::Tokenizer::FromJson({reinterpret_cast<const char*>(data), size}, "tokenizer.json");
  if (!tokenizer.ok()) return 0;
  Use(*tokenizer, from_json);
  const std::string bytes = tokenizer->Compile();
  const auto compiled = ks::Tokenizer::FromCompiled(std::as_bytes(std::span(bytes)));
  Require(compiled.ok());
  Use(*compiled, from_compiled);
  Require(from_json.ids == from_compiled.ids && from_json.offsets == from_compiled.offsets);
  return 0;
}
