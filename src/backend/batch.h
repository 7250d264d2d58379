// What goes into a backend and what comes out.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ks {

// Sequences end to end, no padding. T = tokens of all sequences, B = sequences.
//   input_ids       int32 [T]      token ids, special tokens included
//   offsets         int32 [B + 1]  sequence i is input_ids[offsets[i] .. offsets[i + 1]); offsets[0] = 0, offsets[B] = T
//   token_type_ids  int32 [T]      segment of each token, or empty where all are 0
// Views: the owner keeps the arrays alive and unchanged during the call.
struct PackedBatch {
  std::span<const int32_t> input_ids;
  std::span<const int32_t> offsets;
  std::span<const int32_t> token_type_ids;

  int tokens() const { return static_cast<int>(input_ids.size()); }
  int sequences() const { return offsets.empty() ? 0 : static_cast<int>(offsets.size()) - 1; }
};

// float32 [B, C], row-major: raw scores, before softmax or sigmoid; row i belongs to sequence i.
struct Logits {
  std::vector<float> values;
  int sequences = 0;  // B
  int classes = 0;    // C

  std::span<const float> row(int sequence) const& {
    return std::span(values).subspan(static_cast<size_t>(sequence) * classes, classes);
  }
  std::span<const float> row(int sequence) const&& = delete;
};

}  // namespace ks
