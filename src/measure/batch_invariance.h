// Does a text's answer depend on its company? Bit by bit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "measure/run_texts.h"

namespace ks {

inline constexpr int kSmallestBatch = 2;
inline constexpr int kLargestBatch = 64;
// Pairs of a batch's size and a position in it.
inline constexpr int kBatchPlaces = (kSmallestBatch + kLargestBatch) * (kLargestBatch - kSmallestBatch + 1) / 2;

struct InvarianceResult {
  std::string isa;  // the instruction set that ran: "scalar", "avx2", ..; empty where nobody says
  int texts = 0;
  int64_t batched = 0;                 // texts in batches, all batches together
  int places = 0;                      // of kBatchPlaces, those that held a text
  int64_t different = 0;               // texts in batches whose logits were not those of the text alone
  std::optional<int> first_different;  // the first such example
};

// Runs every text alone and then in batches, one of each size from kSmallestBatch to kLargestBatch after the other, the
// texts shuffled, until every text has been in one and every place has held one. Compares the bits of the logits. A
// batch that would exceed the backends' max_tokens is made of fewer texts; with max_tokens of kLargestBatch times the
// window there is none. Blocks; `texts` must not be empty.
// Errors: of Backend::Run.
absl::StatusOr<InvarianceResult> CheckBatchInvariance(const TokenizedTexts& texts, const Workers& workers,
                                                      const TextProgress& progress);

}  // namespace ks
