// Does a backend still say what the package says it must? Asked before anyone else may ask it anything.
#pragma once

#include "absl/status/status.h"
#include "backend/backend.h"
#include "package/manifest.h"
#include "text/tokenizer.h"

namespace ks {

// How far fp32 logits may be off, relative to the largest magnitude among those expected: another order of summation
// and another exp, not another model. int8 logits may not be off at all: all of their arithmetic is ours.
inline constexpr float kSelfCheckTolerance = 1e-3f;

// Tokenises the manifest's self-check texts, runs them through `backend` and compares the logits with those of its
// precision. Blocks for a run or two, which also warm the backend up. OK where the manifest has no texts. Errors: kDataLoss where a logit is off (the
// message gives the number of the text, what was expected and what was found) or the manifest's own numbers do not fit
// its labels; what the tokeniser or the backend reports otherwise.
absl::Status RunSelfCheck(const Manifest& manifest, const Tokenizer& tokenizer, Backend& backend);

}  // namespace ks
