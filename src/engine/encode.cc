#include "engine/encode.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "engine/error.h"

namespace ks {
namespace {

absl::Status InputError(size_t input, std::string_view problem) {
  return MakeError(ErrorCode::kInvalidInput, Cat("texts[", input, "]: ", problem));
}

// Appends parts one after the other; type ids are kept from the first part that has any other than 0.
class Encoder {
 public:
  Encoder(const Tokenizer& tokenizer, LongText long_text, const EncodeLimits& limits)
      : tokenizer_(tokenizer), long_text_(long_text), limits_(limits) {
    out_.offsets.push_back(0);
  }

  absl::Status Add(size_t index, const TextInput& input) {
    const int first_part = out_.parts();
    if (long_text_ == LongText::kWindows && input.pair.has_value()) {
      return InputError(index, "windows are not possible with a pair");
    }
    if (const absl::Status status = Tokenize(input); !status.ok()) {
      return InputError(index, ToStd(status.message()));
    }
    for (const Encoding& part : encodings_) {
      if (part.ids.empty()) return InputError(index, "has no tokens");
      KS_RETURN_IF_ERROR(Append(part));
    }
    out_.texts.push_back({first_part, out_.parts() - first_part, encodings_[0].truncated});
    return absl::OkStatus();
  }

  EncodedInputs Finish() && { return std::move(out_); }

 private:
  absl::Status Tokenize(const TextInput& input) {
    if (long_text_ == LongText::kWindows) return tokenizer_.EncodeWindows(input.text, limits_.window, encodings_);
    encodings_.resize(1);
    const EncodeOptions options = {.max_tokens = limits_.window};
    return input.pair.has_value() ? tokenizer_.EncodePair(input.text, *input.pair, options, encodings_[0])
                                  : tokenizer_.Encode(input.text, options, encodings_[0]);
  }

  absl::Status Append(const Encoding& part) {
    if (out_.ids.size() + part.ids.size() > static_cast<size_t>(limits_.max_tokens)) {
      return MakeError(ErrorCode::kBatchTooBig,
                       Cat("the request has more than ", limits_.max_tokens, " tokens (max-batch-tokens)"));
    }
    const auto is_set = [](int32_t type) { return type != 0; };
    const bool has_types = limits_.type_ids && std::ranges::any_of(part.type_ids, is_set);
    if (has_types || !out_.type_ids.empty()) {
      out_.type_ids.resize(out_.ids.size(), 0);  // of the parts before, where they had none
      out_.type_ids.insert(out_.type_ids.end(), part.type_ids.begin(), part.type_ids.end());
    }
    out_.ids.insert(out_.ids.end(), part.ids.begin(), part.ids.end());
    out_.offsets.push_back(static_cast<int32_t>(out_.ids.size()));
    out_.part_tokens.push_back(static_cast<int>(part.ids.size()));
    return absl::OkStatus();
  }

  const Tokenizer& tokenizer_;
  const LongText long_text_;
  const EncodeLimits limits_;
  std::vector<Encoding> encodings_;  // scratch: of the current input
  EncodedInputs out_;
};

}  // namespace

absl::StatusOr<EncodedInputs> EncodeInputs(const Tokenizer& tokenizer, std::span<const TextInput> inputs,
                                           LongText long_text, const EncodeLimits& limits) {
  Encoder encoder(tokenizer, long_text, limits);
  for (size_t i = 0; i < inputs.size(); ++i) KS_RETURN_IF_ERROR(encoder.Add(i, inputs[i]));
  return std::move(encoder).Finish();
}

}  // namespace ks
