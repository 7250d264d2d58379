// Packed sequences as padded rectangles, and back.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/batch.h"

namespace ks {

// Some sequences of a batch, padded to the longest of them.
struct PaddedBatch {
  std::vector<int> sequences;           // [b] their places in the batch
  int length = 0;                       // l
  std::vector<int32_t> lengths;         // [b], 1 to l
  std::vector<int32_t> input_ids;       // [b, l]
  std::vector<int32_t> token_type_ids;  // [b, l]; 0 where the batch has none
};

// Splits a checked batch so that little is padded: sequences of similar length go together, the longest first, each at
// least three quarters as long as the longest of its rectangle. So all rectangles together hold at most 4/3 T. The same
// batch gives the same rectangles.
std::vector<PaddedBatch> PadByLength(const PackedBatch& batch, int32_t pad_id);

// Copies the rows that are tokens from a rectangle's `padded` [b, l, width] to their places in `packed` [T, width].
void UnpadRows(const PaddedBatch& from, std::span<const float> padded, int width, std::span<const int32_t> offsets,
               std::span<float> packed);

}  // namespace ks
