#include "engine/self_check.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "base/status.h"
#include "base/status_macros.h"
#include "base/thread.h"

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

// The texts of one check, and the threads that take them in turn.
class SelfCheckRun {
 public:
  SelfCheckRun(const Manifest& manifest, bool int8)
      : manifest_(manifest), int8_(int8), allowed_(Allowed(manifest.self_checks, int8)) {}

  // A text has at most a window, which every backend takes in one run.
  absl::Status Tokenise(const Tokenizer& tokenizer) {
    for (const SelfCheck& check : manifest_.self_checks) {
      Text& text = texts_.emplace_back();
      text.index = texts_.size() - 1;
      const size_t expected = Expected(check, int8_).size();
      if (expected != manifest_.spec.labels.size()) {
        return DataLoss(Name(text), ": the manifest has ", expected, " logits for ", manifest_.spec.labels.size(),
                        " labels");
      }
      KS_RETURN_IF_ERROR(
          WithContext(tokenizer.Encode(check.text, {.max_tokens = manifest_.window}, text.encoding), Name(text)));
    }
    std::ranges::stable_sort(texts_, std::ranges::greater(), [](const Text& text) { return text.encoding.ids.size(); });
    return absl::OkStatus();
  }

  // Runs texts that nobody has taken until there is none left.
  void Work(Backend& backend) {
    for (size_t next = next_++; next < texts_.size(); next = next_++)
      texts_[next].status = Check(texts_[next], backend);
  }

  absl::Status Outcome() const {
    const Text* first = nullptr;
    for (const Text& text : texts_) {
      if (!text.status.ok() && (first == nullptr || text.index < first->index)) first = &text;
    }
    return first == nullptr ? absl::OkStatus() : WithContext(first->status, Name(*first));
  }

 private:
  struct Text {
    size_t index = 0;  // in the manifest
    Encoding encoding;
    absl::Status status;
  };

  std::string Name(const Text& text) const {
    return Cat("self-check text ", text.index + 1, " of ", manifest_.self_checks.size());
  }

  absl::Status Check(const Text& text, Backend& backend) const {
    const std::vector<int32_t>& ids = text.encoding.ids;
    const int32_t offsets[] = {0, static_cast<int32_t>(ids.size())};
    KS_ASSIGN_OR_RETURN(const Logits logits, backend.Run({.input_ids = ids, .offsets = offsets, .token_type_ids = {}}));
    return Compare(Expected(manifest_.self_checks[text.index], int8_), logits, allowed_);
  }

  const Manifest& manifest_;
  const bool int8_;
  const float allowed_;
  std::vector<Text> texts_;  // the longest first
  std::atomic<size_t> next_{0};
};

}  // namespace

absl::Status RunSelfCheck(const Manifest& manifest, const Tokenizer& tokenizer,
                          std::span<const std::unique_ptr<Backend>> workers) {
  SelfCheckRun run(manifest, workers.front()->facts().precision == "int8");
  KS_RETURN_IF_ERROR(run.Tokenise(tokenizer));
  {
    std::vector<std::unique_ptr<Thread>> threads;
    for (size_t w = 1; w < std::min(workers.size(), manifest.self_checks.size()); ++w) {
      threads.push_back(std::make_unique<Thread>("self-check", [&run, &workers, w] { run.Work(*workers[w]); }));
    }
    run.Work(*workers.front());
  }  // joins
  return run.Outcome();
}

}  // namespace ks
