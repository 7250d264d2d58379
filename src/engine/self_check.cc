#include "engine/self_check.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "absl/strings/str_join.h"
#include "base/status.h"
#include "base/status_macros.h"

namespace ks {
namespace {

std::string Joined(std::span<const float> logits) { return Cat("[", absl::StrJoin(logits, ", "), "]"); }

const std::vector<float>& Expected(const SelfCheck& check, bool int8) {
  return int8 ? check.int8_logits : check.fp32_logits;
}

float Allowed(const std::vector<SelfCheck>& checks, bool int8) {
  if (int8) return 0;
  float largest = 0;
  for (const SelfCheck& check : checks) {
    for (const float logit : check.fp32_logits) largest = std::max(largest, std::abs(logit));
  }
  return kSelfCheckTolerance * largest;
}

// One run: a self-check text has at most a window, which every backend takes.
absl::StatusOr<Logits> RunText(const SelfCheck& check, int window, const Tokenizer& tokenizer, Backend& backend) {
  Encoding encoding;
  KS_RETURN_IF_ERROR(tokenizer.Encode(check.text, {.max_tokens = window}, encoding));
  const int32_t offsets[] = {0, static_cast<int32_t>(encoding.ids.size())};
  return backend.Run({.input_ids = encoding.ids, .offsets = offsets, .token_type_ids = {}});
}

absl::Status Compare(std::span<const float> expected, const Logits& logits, float allowed) {
  const std::span<const float> found = logits.values;
  if (found.size() != expected.size()) {
    return DataLoss("expected ", expected.size(), " logits, found ", found.size());
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    const float off = std::abs(found[i] - expected[i]);
    if (off <= allowed) continue;  // false for a NaN
    return DataLoss("expected logits ", Joined(expected), ", found ", Joined(found), ": off by ", off, ", allowed is ",
                    allowed);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RunSelfCheck(const Manifest& manifest, const Tokenizer& tokenizer, Backend& backend) {
  const bool int8 = backend.facts().precision == "int8";
  const float allowed = Allowed(manifest.self_checks, int8);
  for (size_t i = 0; i < manifest.self_checks.size(); ++i) {
    const SelfCheck& check = manifest.self_checks[i];
    const std::string where = Cat("self-check text ", i + 1, " of ", manifest.self_checks.size());
    const std::vector<float>& expected = Expected(check, int8);
    if (expected.size() != manifest.spec.labels.size()) {
      return DataLoss(where, ": the manifest has ", expected.size(), " logits for ", manifest.spec.labels.size(),
                      " labels");
    }
    absl::StatusOr<Logits> logits = RunText(check, manifest.window, tokenizer, backend);
    KS_RETURN_IF_ERROR(WithContext(logits.status(), where));
    KS_RETURN_IF_ERROR(WithContext(Compare(expected, *logits, allowed), where));
  }
  return absl::OkStatus();
}

}  // namespace ks
