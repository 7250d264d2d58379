// Threads take the next run from a counter; each writes the rows of its own texts. Tested by run_texts_test.cc.
#include "measure/run_texts.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/mutex.h"
#include "base/status.h"
#include "base/status_macros.h"
#include "base/thread.h"

namespace ks {
namespace {

// Hands out the numbers of the runs and keeps the first error.
class RunCounter {
 public:
  explicit RunCounter(size_t count) : count_(count), failed_(count) {}

  // False when nothing is left to begin.
  bool Next(size_t& i) KS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (next_ == count_ || failed_ < count_) return false;
    i = next_++;
    return true;
  }
  void Fail(size_t i, absl::Status error) KS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (i >= failed_) return;
    failed_ = i;
    error_ = std::move(error);
  }
  absl::Status error() KS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return error_;
  }

 private:
  const size_t count_;
  Mutex mutex_;
  size_t next_ KS_GUARDED_BY(mutex_) = 0;
  size_t failed_ KS_GUARDED_BY(mutex_);  // count_ while none has
  absl::Status error_ KS_GUARDED_BY(mutex_);
};

absl::Status CheckLogits(const Logits& logits, size_t texts, int classes) {
  if (static_cast<size_t>(logits.sequences) != texts || logits.classes != classes ||
      logits.values.size() != texts * static_cast<size_t>(classes)) {
    return Internal("expected logits of ", texts, " texts and ", classes, " classes, found ", logits.sequences, " and ",
                    logits.classes);
  }
  if (!std::ranges::all_of(logits.values, [](float x) { return std::isfinite(x); })) {
    return Internal("a logit is not a finite number");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TokenizedTexts> TokenizeExamples(const Tokenizer& tokenizer, std::span<const Example> examples,
                                                int window) {
  TokenizedTexts texts;
  Encoding encoding;
  for (size_t i = 0; i < examples.size(); ++i) {
    KS_RETURN_IF_ERROR(
        WithContext(tokenizer.Encode(examples[i].text, {.max_tokens = window}, encoding), Cat("text ", i + 1)));
    texts.ids.insert(texts.ids.end(), encoding.ids.begin(), encoding.ids.end());
    texts.offsets.push_back(static_cast<int64_t>(texts.ids.size()));
  }
  return texts;
}

TextRuns PlanRuns(const TokenizedTexts& texts, int max_tokens) {
  std::vector<int> order(static_cast<size_t>(texts.size()));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return texts.tokens(a) < texts.tokens(b); });
  TextRuns runs;
  int room = 0;
  for (const int text : order) {
    if (runs.empty() || texts.tokens(text) > room) {
      runs.emplace_back();
      room = max_tokens;
    }
    runs.back().push_back(text);
    room -= texts.tokens(text);
  }
  return runs;
}

PackedBatch RunBuffers::Pack(const TokenizedTexts& texts, std::span<const int> run) {
  ids_.clear();
  offsets_.assign(1, 0);
  for (const int i : run) {
    const auto ids = texts.text(i);
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    offsets_.push_back(static_cast<int32_t>(ids_.size()));
  }
  return {.input_ids = ids_, .offsets = offsets_, .token_type_ids = {}};
}

absl::Status ForEachRun(const Workers& workers, size_t count,
                        const std::function<absl::Status(Backend& worker, size_t i)>& body) {
  RunCounter counter(count);
  const auto work = [&](Backend& worker) {
    size_t i = 0;
    while (counter.Next(i)) {
      if (absl::Status done = body(worker, i); !done.ok()) counter.Fail(i, std::move(done));
    }
  };
  {
    std::vector<std::unique_ptr<Thread>> threads;
    for (size_t w = 1; w < workers.size(); ++w) {
      threads.push_back(std::make_unique<Thread>(Cat("measure-", w), [&, w] { work(*workers[w]); }));
    }
    work(*workers.front());
  }
  return counter.error();
}

absl::StatusOr<Logits> RunTexts(const TokenizedTexts& texts, const TextRuns& runs, const Workers& workers,
                                const TextProgress& progress) {
  const int classes = workers.front()->facts().classes;
  Logits all = {.values = std::vector<float>(static_cast<size_t>(texts.size()) * classes),
                .sequences = texts.size(),
                .classes = classes};
  Mutex mutex;
  int64_t done = 0;
  const auto run_one = [&](Backend& worker, size_t i) -> absl::Status {
    RunBuffers buffers;
    KS_ASSIGN_OR_RETURN(const Logits logits, worker.Run(buffers.Pack(texts, runs[i])));
    KS_RETURN_IF_ERROR(CheckLogits(logits, runs[i].size(), classes));
    for (size_t row = 0; row < runs[i].size(); ++row) {
      std::ranges::copy(logits.row(static_cast<int>(row)),
                        all.values.begin() + static_cast<ptrdiff_t>(runs[i][row]) * classes);
    }
    const MutexLock lock(mutex);
    done += static_cast<int64_t>(runs[i].size());
    if (progress) progress(done, texts.size());
    return absl::OkStatus();
  };
  KS_RETURN_IF_ERROR(ForEachRun(workers, runs.size(), run_one));
  return all;
}

}  // namespace ks
