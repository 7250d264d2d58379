// The parts of one run, end to end, as a backend wants them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "backend/batch.h"
#include "engine/request.h"

namespace ks {

// Arrays of one worker, kept from run to run.
class PackBuffers {
 public:
  // Copies the parts of `run` in order: sequence i is the run's i-th part. token_type_ids are empty where all are 0.
  // The batch is valid until the next call.
  PackedBatch Pack(std::span<const RunSlice> run);

 private:
  std::vector<int32_t> ids_;
  std::vector<int32_t> type_ids_;
  std::vector<int32_t> offsets_;
};

// kInternal where the shape is not [sequences, classes] or a value is not finite, with the numbers.
absl::Status CheckLogits(const Logits& logits, int sequences, int classes);

// Copies the rows back to the requests, in the order of Pack. Touches nothing of a request but the rows of its parts.
// Errors: as CheckLogits; then no row counts.
absl::Status Scatter(const Logits& logits, int classes, std::span<const RunSlice> run);

}  // namespace ks
