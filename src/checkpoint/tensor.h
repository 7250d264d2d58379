// A tensor as it lies in a checkpoint.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace ks {

// Every element type of the safetensors format. Weights are converted from F32, F16 and BF16; the others are known so
// that a checkpoint may hold them beside the weights (position ids) and an error can name them.
enum class DType {
  kBool,
  kF4,
  kF6E2M3,
  kF6E3M2,
  kU8,
  kI8,
  kF8E5M2,
  kF8E4M3,
  kF8E8M0,
  kI16,
  kU16,
  kF16,
  kBF16,
  kI32,
  kU32,
  kF32,
  kC64,
  kF64,
  kI64,
  kU64,
};

// The name in the file: "F32", "BF16".
std::string_view DTypeName(DType dtype);
std::optional<DType> DTypeFromName(std::string_view name);
int DTypeBits(DType dtype);

// A view: the mapping it came from must outlive it.
struct TensorView {
  std::string name;
  std::string file;  // for messages
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;        // row-major; empty for a scalar
  std::span<const std::byte> bytes;  // little-endian, of any alignment; as many as shape and dtype ask for

  size_t elements() const { return bytes.size() * 8 / DTypeBits(dtype); }
};

// "[2, 384]", as error messages show a shape.
std::string ShapeText(std::span<const int64_t> shape);

// Writes the values of elements [first, first + out.size()), widened exactly, to `out`. The tensor must have that many.
//
// Errors: kFailedPrecondition for a dtype other than F32, F16 and BF16; kDataLoss for a NaN or an infinity, which no
// trained weight has, with its place. Both name file and tensor; `out` is then of no use.
absl::Status ToFloat32(const TensorView& tensor, size_t first, std::span<float> out);

}  // namespace ks
