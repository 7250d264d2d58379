// Tested by padding_test.cc.
#include "backend/torch/padding.h"

#include <algorithm>
#include <numeric>

namespace ks {
namespace {

PaddedBatch Pad(const PackedBatch& batch, std::span<const int> sequences, int length, int32_t pad_id) {
  const size_t size = sequences.size() * static_cast<size_t>(length);
  PaddedBatch padded = {.sequences = {sequences.begin(), sequences.end()},
                        .length = length,
                        .lengths = {},
                        .input_ids = std::vector<int32_t>(size, pad_id),
                        .token_type_ids = std::vector<int32_t>(size, 0)};
  for (size_t row = 0; row < sequences.size(); ++row) {
    const size_t first = static_cast<size_t>(batch.offsets[sequences[row]]);
    const size_t tokens = static_cast<size_t>(batch.offsets[sequences[row] + 1]) - first;
    const auto at = static_cast<std::ptrdiff_t>(row * static_cast<size_t>(length));
    std::ranges::copy(batch.input_ids.subspan(first, tokens), padded.input_ids.begin() + at);
    if (!batch.token_type_ids.empty()) {
      std::ranges::copy(batch.token_type_ids.subspan(first, tokens), padded.token_type_ids.begin() + at);
    }
    padded.lengths.push_back(static_cast<int32_t>(tokens));
  }
  return padded;
}

}  // namespace

std::vector<PaddedBatch> PadByLength(const PackedBatch& batch, int32_t pad_id) {
  const auto length = [&](int sequence) { return batch.offsets[sequence + 1] - batch.offsets[sequence]; };
  std::vector<int> order(static_cast<size_t>(batch.sequences()));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater(), length);

  std::vector<PaddedBatch> padded;
  for (auto begin = order.begin(); begin != order.end();) {
    const int longest = length(*begin);
    const auto end = std::find_if(begin, order.end(),
                                  [&](int sequence) { return int64_t{4} * length(sequence) < int64_t{3} * longest; });
    padded.push_back(Pad(batch, {begin, end}, longest, pad_id));
    begin = end;
  }
  return padded;
}

void UnpadRows(const PaddedBatch& from, std::span<const float> padded, int width, std::span<const int32_t> offsets,
               std::span<float> packed) {
  const auto row_floats = static_cast<size_t>(width);
  for (size_t row = 0; row < from.sequences.size(); ++row) {
    const size_t source = row * static_cast<size_t>(from.length) * row_floats;
    const size_t target = static_cast<size_t>(offsets[from.sequences[row]]) * row_floats;
    const size_t floats = static_cast<size_t>(from.lengths[row]) * row_floats;
    std::ranges::copy(padded.subspan(source, floats), packed.subspan(target, floats).begin());
  }
}

}  // namespace ks
