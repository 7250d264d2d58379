// The safetensors format: an 8-byte length, a JSON header of that length, then the tensors' bytes without gaps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "checkpoint/tensor.h"

namespace ks {

// Longest header that is read: the format's own limit.
inline constexpr uint64_t kMaxSafetensorsHeaderBytes = 100'000'000;

// Reads the header of `file`, the bytes of a whole safetensors file, and returns its tensors in the order of their
// bytes. Views: `file` must outlive them. `name` begins every message. Touches nothing of the file but its header.
//
// Errors, all kDataLoss, naming the tensor where one is at fault, with expected and found values: a file shorter than
// its header says, a header of absurd length or that is not the format's JSON, an unknown dtype, a size that
// contradicts shape and dtype, tensors that overlap, leave a gap or lie outside the file, bytes after the last tensor.
absl::StatusOr<std::vector<TensorView>> ReadSafetensors(std::span<const std::byte> file, std::string_view name);

// The format's free text beside the tensors, by key.
using SafetensorsMetadata = std::map<std::string, std::string, std::less<>>;

// The metadata of `file`; empty where it has none. Errors: as ReadSafetensors, for the header alone.
absl::StatusOr<SafetensorsMetadata> ReadSafetensorsMetadata(std::span<const std::byte> file, std::string_view name);

// What WriteSafetensors' caller says of a tensor.
struct TensorDescription {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
};

// A tensor's place in a planned file.
struct TensorPlace {
  size_t index;  // of the tensor in the list that was planned
  uint64_t file_offset;
  uint64_t bytes;
};

// A planned safetensors file: `header`, then the tensors' bytes in the order of `places`.
struct SafetensorsPlan {
  std::string header;  // length prefix included
  std::vector<TensorPlace> places;
  uint64_t file_bytes = 0;
};

// Plans a file for `tensors`, whose names are unique. Those of whole pages of 4096 bytes go first and begin on a page,
// where the data does; the others begin at a multiple of 64 bytes as long as the sizes allow it, since other sizes than
// multiples of 64 go last (the format has no gaps). Otherwise the order stays, so that the same list gives the same bytes.
SafetensorsPlan PlanSafetensors(std::span<const TensorDescription> tensors, const SafetensorsMetadata& metadata = {});

}  // namespace ks
