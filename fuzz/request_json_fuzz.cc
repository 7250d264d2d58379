// The JSON bodies of requests, each read as all kinds of body. Whatever a reader takes must be within the limits it was
// given, so that the engine may rely on them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/utf8.h"
#include "serving/http/request_json.h"

namespace {

constexpr ks::BodyLimits kLimits = {.max_text_chars = 100, .max_batch_texts = 8, .num_labels = 3};

void Require(bool condition) {
  if (!condition) std::abort();
}

bool IsUsable(std::string_view text) {
  return !ks::FindInvalidUtf8(text).has_value() && !ks::IsBlank(text) && text.find('\0') == std::string_view::npos &&
         ks::CountCodePoints(text) <= static_cast<size_t>(kLimits.max_text_chars);
}

void CheckTaken(const absl::StatusOr<ks::ClassifyBody>& body) {
  if (!body.ok()) {
    Require(!body.status().message().empty());
    return;
  }
  const auto inputs = body->Inputs();
  Require(!inputs.empty() && inputs.size() <= static_cast<size_t>(kLimits.max_batch_texts));
  Require(body->options.top_k >= 0 && body->options.top_k <= kLimits.num_labels);
  for (const ks::TextInput& input : inputs) {
    Require(IsUsable(input.text));
    Require(!input.pair.has_value() || IsUsable(*input.pair));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto document = ks::ParseBody({reinterpret_cast<const char*>(data), size});
  if (!document.ok()) return 0;
  CheckTaken(ks::ReadPredictBody(document->root(), kLimits));
  CheckTaken(ks::ReadBatchBody(document->root(), kLimits));
  CheckTaken(ks::ReadHuggingFaceBody(document->root(), kLimits));
  const auto feedback = ks::ReadFeedbackBody(document->root());
  Require(feedback.ok() || !feedback.status().message().empty());
  return 0;
}
