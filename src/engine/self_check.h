// Does a backend still say what the package says it must? Asked before anyone else may ask it anything.
#pragma once

#include <memory>
#include <span>

#include "absl/status/status.h"
#include "backend/backend.h"
#include "package/manifest.h"
#include "text/tokenizer.h"

namespace ks {

// How far fp32 logits may be off, relative to the largest magnitude among those expected: another order of summation
// and another exp, not another model. int8 logits may not be off at all: all of their arithmetic is ours.
inline constexpr float kSelfCheckTolerance = 1e-3f;

// Tokenises the manifest's self-check texts, runs each of them through one of `workers`, which are of one precision, and
// compares the logits with those of that precision. Each worker that there is a text for has a thread (`self-check`),
// so two cores take half the time of one; the long texts go first. Blocks until all are done, which also warms the
// workers up. OK where the manifest has no texts. Requires a worker.
//
// Errors, of the first text that has one: kDataLoss where a logit is off (the message gives the number of the text, what
// was expected and what was found) or the manifest's own numbers do not fit its labels; what the tokeniser or the backend
// reports otherwise.
absl::Status RunSelfCheck(const Manifest& manifest, const Tokenizer& tokenizer,
                          std::span<const std::unique_ptr<Backend>> workers);

}  // namespace ks
