// Tested by self_check_test.cc.
#include "convert/self_check.h"

#include <optional>
#include <string>
#include <utility>

#include "base/mapped_file.h"
#include "base/status_macros.h"
#include "convert/int8_file.h"
#include "package/fp32_weights.h"
#include "package/package.h"

namespace ks {
namespace {

// Every token here delays each start: no more texts than show the tokeniser's and the kernels' paths.
constexpr std::string_view kTexts[] = {
    "I love this!",
    "Caf\u00e9 No. 3: cr\u00e8me br\u00fbl\u00e9e 10/10, \u00a34.50 well spent \U0001F60D",
    "We had put off this trip for years and are glad we went: at the front desk they found us a doctor at midnight "
    "when my son had a fever.",
};

absl::StatusOr<std::vector<float>> LogitsOf(const ClassifierSpec& spec, EncoderWeights& weights,
                                            const Encoding& encoding) {
  const int32_t offsets[] = {0, static_cast<int32_t>(encoding.ids.size())};
  KS_ASSIGN_OR_RETURN(
      Logits logits,
      RunEncoder(spec, weights, {.input_ids = encoding.ids, .offsets = offsets, .token_type_ids = encoding.type_ids}));
  return std::move(logits.values);
}

}  // namespace

std::span<const std::string_view> SelfCheckTexts() { return kTexts; }

absl::StatusOr<std::vector<float>> ReferenceLogits(const ClassifierSpec& spec, const TensorLookup& tensors,
                                                   std::span<const int32_t> ids, std::span<const int32_t> type_ids,
                                                   const KernelTable& kernels) {
  KS_ASSIGN_OR_RETURN(EncoderWeights weights, Fp32EncoderWeights(spec, tensors));
  const int32_t offsets[] = {0, static_cast<int32_t>(ids.size())};
  KS_ASSIGN_OR_RETURN(
      const Logits logits,
      RunEncoder(spec, weights, {.input_ids = ids, .offsets = offsets, .token_type_ids = type_ids}, kernels));
  return logits.values;
}

absl::StatusOr<std::vector<SelfCheck>> MakeSelfChecks(const Manifest& manifest, const Tokenizer& tokenizer,
                                                      const std::filesystem::path& directory) {
  const ClassifierSpec& spec = manifest.spec;
  std::optional<Fp32Weights> fp32_file;
  MappedFile int8_file;
  std::optional<EncoderWeights> fp32, int8;
  if (manifest.HasPrecision("fp32")) {
    KS_ASSIGN_OR_RETURN(fp32_file, Fp32Weights::Open(directory, spec));
    KS_ASSIGN_OR_RETURN(
        fp32, Fp32EncoderWeights(spec, [&fp32_file](std::string_view name) { return fp32_file->Values(name); }));
  }
  if (manifest.HasPrecision("int8")) {
    KS_ASSIGN_OR_RETURN(int8_file, MappedFile::Open(directory / kInt8WeightsFile));
    KS_ASSIGN_OR_RETURN(int8, ReadInt8Weights(spec, int8_file.bytes(), kInt8WeightsFile));
  }
  std::vector<SelfCheck> checks;
  Encoding encoding;
  for (const std::string_view text : SelfCheckTexts()) {
    KS_RETURN_IF_ERROR(tokenizer.Encode(text, {.max_tokens = manifest.window}, encoding));
    SelfCheck& check = checks.emplace_back();
    check.text = text;
    if (fp32) {
      KS_ASSIGN_OR_RETURN(check.fp32_logits, LogitsOf(spec, *fp32, encoding));
    }
    if (int8) {
      KS_ASSIGN_OR_RETURN(check.int8_logits, LogitsOf(spec, *int8, encoding));
    }
  }
  return checks;
}

}  // namespace ks
