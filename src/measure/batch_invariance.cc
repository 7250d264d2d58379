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

// Lays texts out in batches of every size in turn.
class BatchPlanner {
 public:
  BatchPlanner(const TokenizedTexts& texts, int max_tokens) : texts_(texts), max_tokens_(max_tokens) {
    order_.resize(static_cast<size_t>(texts.size()));
    std::iota(order_.begin(), order_.end(), 0);
  }

  // All texts once, shuffled anew.
  TextRuns NextRound() {
    Shuffle();
    TextRuns runs;
    size_t next = 0;
    while (next < order_.size()) {
      std::vector<int> run;
      int tokens = 0;
      for (int k = 0; k < size_ && next < order_.size(); ++k, ++next) {
        tokens += texts_.tokens(order_[next]);
        if (tokens > max_tokens_ && !run.empty()) break;
        run.push_back(order_[next]);
      }
      runs.push_back(std::move(run));
      size_ = size_ == kLargestBatch ? kSmallestBatch : size_ + 1;
    }
    return runs;
  }

 private:
  // Fisher and Yates, on a generator whose numbers the standard fixes: std::shuffle differs between libraries.
  void Shuffle() {
    for (size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[random_() % i]);
  }

  const TokenizedTexts& texts_;
  const int max_tokens_;
  std::vector<int> order_;
  std::mt19937_64 random_{1};
  int size_ = kSmallestBatch;
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
    BatchPlanner planner(texts_, workers_.front()->facts().max_tokens);
    // Some batches stay smaller for want of texts or room, so not every place can always be filled.
    int places_before = -1;
    while (result_.places > places_before && result_.places < kBatchPlaces) {
      places_before = result_.places;
      // So many rounds as hold every size once.
      const int rounds = 1 + kBatchPlaces / std::max(1, texts_.size());
      for (int round = 0; round < rounds && result_.places < kBatchPlaces; ++round) {
        KS_RETURN_IF_ERROR(RunRound(planner.NextRound()));
      }
    }
    return result_;
  }

 private:
  absl::Status RunRound(const TextRuns& runs) {
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
