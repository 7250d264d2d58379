// Texts to the token sequences that a backend runs.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/classification.h"
#include "text/tokenizer.h"

namespace ks {

// The sequences ("parts") of one request, end to end: one for each input, or several where windows were asked for.
// T = tokens of all parts, P = parts.
struct EncodedInputs {
  struct Text {
    int first_part = 0;
    int parts = 0;
    bool truncated = false;
  };
  std::vector<int32_t> ids;       // [T]
  std::vector<int32_t> type_ids;  // [T], or empty where all are 0
  std::vector<int32_t> offsets;   // [P + 1]: part p is ids[offsets[p] .. offsets[p + 1])
  std::vector<int> part_tokens;   // [P], the lengths
  std::vector<Text> texts;        // one for each input, in order

  int64_t tokens() const { return static_cast<int64_t>(ids.size()); }
  int parts() const { return static_cast<int>(part_tokens.size()); }
};

struct EncodeLimits {
  int window = 0;         // of a part, special tokens included
  int max_tokens = 0;     // of all parts together
  bool type_ids = false;  // the model tells the texts of a pair apart
};

// Tokenises all inputs or none; stops at the first that is wrong or exceeds the limits. Linear in the texts; with
// kTruncate the work for each ends at the window. Errors, by CodeOf, naming the input as texts[i]: kInvalidInput (not
// UTF-8, windows with a pair), kBatchTooBig (more than max_tokens together; the message names the limit).
absl::StatusOr<EncodedInputs> EncodeInputs(const Tokenizer& tokenizer, std::span<const TextInput> inputs,
                                           LongText long_text, const EncodeLimits& limits);

}  // namespace ks
