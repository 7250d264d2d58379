// The one place that knows what a batch must look like; every Backend calls it before it touches an id.
// Tested by check_batch_test.cc.
#include "backend/backend.h"

#include <algorithm>

#include "base/status.h"

namespace ks {
namespace {

absl::Status CheckOffsets(const PackedBatch& batch, const BackendFacts& facts) {
  if (batch.offsets.front() != 0) return InvalidArgument("offsets[0] is ", batch.offsets.front(), ", expected 0");
  for (int i = 0; i < batch.sequences(); ++i) {
    // In 64 bits: offsets that are far apart must not wrap around into a plausible length.
    const int64_t length = int64_t{batch.offsets[i + 1]} - batch.offsets[i];
    if (length < 1 || length > facts.max_tokens_per_sequence) {
      return InvalidArgument("sequence ", i, " has ", length, " tokens, expected 1 to ", facts.max_tokens_per_sequence);
    }
  }
  if (batch.offsets.back() != batch.tokens()) {
    return InvalidArgument("offsets[B] is ", batch.offsets.back(), ", expected T = ", batch.tokens());
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckBatch(const PackedBatch& batch, const BackendFacts& facts, int vocab_size) {
  // The array's own size, not tokens(): that is an int and would hide a count beyond it.
  if (batch.input_ids.empty() || batch.input_ids.size() > static_cast<size_t>(facts.max_tokens)) {
    return InvalidArgument("batch has T = ", batch.input_ids.size(), " tokens, expected 1 to ", facts.max_tokens);
  }
  if (batch.offsets.size() < 2 || batch.offsets.size() - 1 > batch.input_ids.size()) {
    return InvalidArgument("batch has ", batch.offsets.size(),
                           " offsets, expected B + 1 with 1 <= B <= T = ", batch.tokens());
  }
  if (!batch.token_type_ids.empty() && batch.token_type_ids.size() != batch.input_ids.size()) {
    return InvalidArgument("batch has ", batch.token_type_ids.size(),
                           " token type ids, expected none or T = ", batch.tokens());
  }
  if (absl::Status status = CheckOffsets(batch, facts); !status.ok()) return status;
  for (int i = 0; i < batch.tokens(); ++i) {
    const int32_t id = batch.input_ids[i];
    if (id < 0) return InvalidArgument("the id at token ", i, " is negative");
    if (vocab_size > 0 && id >= vocab_size) {
      return InvalidArgument("the id at token ", i, " lies outside the vocabulary of ", vocab_size, " entries");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckGroup(int count, int threads, int max_tokens, int window) {
  if (threads < 1) return InvalidArgument("threads is ", threads, ", expected 1 or more");
  if (count < 1) return InvalidArgument("a group of ", count, " backends, expected 1 or more");
  if (max_tokens < window) {
    return InvalidArgument("max_tokens is ", max_tokens, ", expected at least the model's window of ", window);
  }
  return absl::OkStatus();
}

absl::Status CheckTokenTypes(const PackedBatch& batch, int type_vocab_size) {
  const int types = std::max(type_vocab_size, 1);
  for (size_t i = 0; i < batch.token_type_ids.size(); ++i) {
    if (batch.token_type_ids[i] < 0 || batch.token_type_ids[i] >= types) {
      return InvalidArgument("the token type at token ", i, " is ", batch.token_type_ids[i], ", expected 0 to ",
                             types - 1);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Logits> Backend::RunTraced(const PackedBatch&, const TapSink&) {
  return absl::UnimplementedError(
      ToAbsl(Cat("backend ", facts().name, " in ", facts().precision, " cannot show its hidden states")));
}

}  // namespace ks
