#include "engine/pack.h"

#include <algorithm>
#include <cmath>

#include "base/status_macros.h"

namespace ks {

PackedBatch PackBuffers::Pack(std::span<const RunSlice> run) {
  ids_.clear();
  type_ids_.clear();
  offsets_.assign(1, 0);
  for (const RunSlice& slice : run) {
    const EncodedInputs& inputs = slice.request->inputs;
    const auto first_part = static_cast<size_t>(slice.first_part);
    const auto parts = static_cast<size_t>(slice.parts);
    const int32_t begin = inputs.offsets[first_part];
    const int32_t end = inputs.offsets[first_part + parts];
    if (!inputs.type_ids.empty()) {
      type_ids_.resize(ids_.size(), 0);  // of the slices before, where they had none
      type_ids_.insert(type_ids_.end(), inputs.type_ids.begin() + begin, inputs.type_ids.begin() + end);
    }
    const auto shift = static_cast<int32_t>(ids_.size()) - begin;
    ids_.insert(ids_.end(), inputs.ids.begin() + begin, inputs.ids.begin() + end);
    for (size_t part = 0; part < parts; ++part) offsets_.push_back(inputs.offsets[first_part + part + 1] + shift);
  }
  if (!type_ids_.empty()) type_ids_.resize(ids_.size(), 0);
  return {.input_ids = ids_, .offsets = offsets_, .token_type_ids = type_ids_};
}

absl::Status CheckLogits(const Logits& logits, int sequences, int classes) {
  const size_t expected = static_cast<size_t>(sequences) * static_cast<size_t>(classes);
  if (logits.sequences != sequences || logits.classes != classes || logits.values.size() != expected) {
    return Internal("logits: expected [", sequences, ", ", classes, "], found [", logits.sequences, ", ",
                    logits.classes, "] with ", logits.values.size(), " values");
  }
  const auto is_finite = [](float value) { return std::isfinite(value); };
  if (const auto bad = std::ranges::find_if_not(logits.values, is_finite); bad != logits.values.end()) {
    return Internal("logits: expected finite numbers, found ", *bad, " for sequence ",
                    (bad - logits.values.begin()) / classes, " of ", sequences);
  }
  return absl::OkStatus();
}

absl::Status Scatter(const Logits& logits, int classes, std::span<const RunSlice> run) {
  int sequences = 0;
  for (const RunSlice& slice : run) sequences += slice.parts;
  KS_RETURN_IF_ERROR(CheckLogits(logits, sequences, classes));

  auto row = logits.values.begin();
  for (const RunSlice& slice : run) {
    const auto count = static_cast<std::ptrdiff_t>(slice.parts) * classes;
    std::copy(row, row + count,
              slice.request->logits.begin() + static_cast<std::ptrdiff_t>(slice.first_part) * classes);
    row += count;
  }
  return absl::OkStatus();
}

}  // namespace ks
