// Many texts through the backends of one side of a comparison.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/backend.h"
#include "measure/data_set.h"
#include "text/tokenizer.h"

namespace ks {

// N texts as token ids, end to end. T = tokens of all.
struct TokenizedTexts {
  std::vector<int32_t> ids;         // [T]
  std::vector<int64_t> offsets{0};  // [N + 1]: text i is ids[offsets[i] .. offsets[i + 1])

  int size() const { return static_cast<int>(offsets.size()) - 1; }
  int tokens(int text) const { return static_cast<int>(offsets[text + 1] - offsets[text]); }
  std::span<const int32_t> text(int i) const& { return std::span(ids).subspan(offsets[i], tokens(i)); }
  std::span<const int32_t> text(int i) const&& = delete;
};

// The first `window` tokens of each example, special ones included. Errors: as Tokenizer::Encode, naming the example by
// number.
absl::StatusOr<TokenizedTexts> TokenizeExamples(const Tokenizer& tokenizer, std::span<const Example> examples,
                                                int window);

// Which texts share a run.
using TextRuns = std::vector<std::vector<int>>;

// All texts in runs of at most `max_tokens`, the shortest first, so that texts of a run are about equally long: a
// backend that pads then has little to pad. Requires that each text alone fits.
TextRuns PlanRuns(const TokenizedTexts& texts, int max_tokens);

// The arrays of one run, kept from run to run.
class RunBuffers {
 public:
  // The texts of `run`, in its order. Valid until the next call.
  PackedBatch Pack(const TokenizedTexts& texts, std::span<const int> run);

 private:
  std::vector<int32_t> ids_;
  std::vector<int32_t> offsets_;
};

// What gives the logits of one side: objects of the same model, one for each thread.
using Workers = std::vector<Backend*>;

// Told how many of how many texts are done, now and then, by any thread but never by two at a time. May be empty.
using TextProgress = std::function<void(int64_t done, int64_t total)>;

// Runs every run once, on as many threads as there are workers, and returns the logits [N, C] in the order of the
// texts. What comes out depends on the runs alone, not on who takes which.
// Errors: that of the first run that failed (Backend::Run); no further run begins then. kInternal for a shape other
// than [B, C] of a run or a value that is not finite.
absl::StatusOr<Logits> RunTexts(const TokenizedTexts& texts, const TextRuns& runs, const Workers& workers,
                                const TextProgress& progress);

// What RunTexts is made of: calls body(worker, i) once for each i in [0, count), in ascending order of their
// beginnings, on one thread for each of `workers`. Returns the error of the lowest i that failed; after an error no
// further call begins.
absl::Status ForEachRun(const Workers& workers, size_t count,
                        const std::function<absl::Status(Backend& worker, size_t i)>& body);

}  // namespace ks
