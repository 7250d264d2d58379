// Tested by batch_invariance_test.cc.
#include "measure/batch_invariance.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>

#include "base/mutex.h"
#include "base/status_macros.h"

namespace ks {
namespace {

TextRuns OneByOne(int texts) {
  TextRuns runs;
  for (int i = 0; i < texts; ++i) runs.push_back({i});
  return runs;
}

// Deals texts out in batches. What is dealt is shuffled anew each time all have had their turn, so that a text meets
// others and stands elsewhere.
class BatchDealer {
 public:
  BatchDealer(const TokenizedTexts& texts, int max_tokens) : texts_(texts), max_tokens_(max_tokens) {}

  // One batch of each size. A batch whose next text would exceed max_tokens stays smaller.
  TextRuns Deal() {
    TextRuns runs;
    for (int size = kSmallestBatch; size <= kLargestBatch; ++size) {
      std::vector<int> run;
      int tokens = 0;
      while (static_cast<int>(run.size()) < size) {
        if (left_.empty()) Shuffle();
        tokens += texts_.tokens(left_.back());
        if (tokens > max_tokens_) break;
        run.push_back(left_.back());
        left_.pop_back();
      }
      runs.push_back(std::move(run));
    }
    return runs;
  }

 private:
  // Fisher and Yates, on a generator whose numbers the standard fixes: std::shuffle differs between libraries.
  void Shuffle() {
    left_.resize(static_cast<size_t>(texts_.size()));
    std::iota(left_.begin(), left_.end(), 0);
    for (size_t i = left_.size(); i > 1; --i) std::swap(left_[i - 1], left_[random_() % i]);
  }

  const TokenizedTexts& texts_;
  const int max_tokens_;
  std::vector<int> left_;  // of this turn, dealt from the back
  std::mt19937_64 random_{1};
};

class Checker {
 public:
  Checker(const TokenizedTexts& texts, const Workers& workers, const TextProgress& progress)
      : texts_(texts), workers_(workers), progress_(progress) {
    result_.texts = texts.size();
    filled_.resize((kLargestBatch + 1) * kLargestBatch);
  }

  absl::StatusOr<InvarianceResult> Run() {
    KS_ASSIGN_OR_RETURN(alone_, RunTexts(texts_, OneByOne(texts_.size()), workers_, nullptr));
    BatchDealer dealer(texts_, workers_.front()->facts().max_tokens);
    int places_before = -1;
    // Where batches stay smaller for want of room, not every place can be filled.
    while (result_.batched < texts_.size() || (result_.places < kBatchPlaces && result_.places > places_before)) {
      places_before = result_.places;
      KS_RETURN_IF_ERROR(RunBatches(dealer.Deal()));
    }
    return result_;
  }

 private:
  absl::Status RunBatches(const TextRuns& runs) {
    return ForEachRun(workers_, runs.size(), [&](Backend& worker, size_t i) -> absl::Status {
      RunBuffers buffers;
      KS_ASSIGN_OR_RETURN(const Logits logits, worker.Run(buffers.Pack(texts_, runs[i])));
      Note(runs[i], logits);
      return absl::OkStatus();
    });
  }

  void Note(const std::vector<int>& run, const Logits& logits) KS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    for (size_t position = 0; position < run.size(); ++position) {
      const auto expected = alone_.row(run[position]);
      const auto found = logits.row(static_cast<int>(position));
      if (std::memcmp(expected.data(), found.data(), expected.size_bytes()) != 0) {
        ++result_.different;
        // The lowest, whichever thread was faster.
        result_.first_different = std::min(result_.first_different.value_or(run[position]), run[position]);
      }
      if (run.size() < kSmallestBatch) continue;
      auto place = filled_.begin() + static_cast<ptrdiff_t>(run.size() * kLargestBatch + position);
      result_.places += *place == 0;
      *place = 1;
    }
    result_.batched += static_cast<int64_t>(run.size());
    if (progress_) progress_(result_.places, kBatchPlaces);
  }

  const TokenizedTexts& texts_;
  const Workers& workers_;
  const TextProgress& progress_;
  Logits alone_;
  Mutex mutex_;
  InvarianceResult result_;      // while threads run, guarded by mutex_
  std::vector<uint8_t> filled_;  // likewise; [size, position]
};

}  // namespace

absl::StatusOr<InvarianceResult> CheckBatchInvariance(const TokenizedTexts& texts, const Workers& workers,
                                                      const TextProgress& progress) {
  return Checker(texts, workers, progress).Run();
}

}  // namespace ks
