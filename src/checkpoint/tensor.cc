#include "checkpoint/tensor.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "base/status.h"

namespace ks {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors are read in place");

struct DTypeRow {
  DType dtype;
  std::string_view name;
  int bits;
};

constexpr DTypeRow kDTypes[] = {
    {DType::kBool, "BOOL", 8},      {DType::kF4, "F4", 4},          {DType::kF6E2M3, "F6_E2M3", 6},
    {DType::kF6E3M2, "F6_E3M2", 6}, {DType::kU8, "U8", 8},          {DType::kI8, "I8", 8},
    {DType::kF8E5M2, "F8_E5M2", 8}, {DType::kF8E4M3, "F8_E4M3", 8}, {DType::kF8E8M0, "F8_E8M0", 8},
    {DType::kI16, "I16", 16},       {DType::kU16, "U16", 16},       {DType::kF16, "F16", 16},
    {DType::kBF16, "BF16", 16},     {DType::kI32, "I32", 32},       {DType::kU32, "U32", 32},
    {DType::kF32, "F32", 32},       {DType::kC64, "C64", 64},       {DType::kF64, "F64", 64},
    {DType::kI64, "I64", 64},       {DType::kU64, "U64", 64},
};

const DTypeRow& RowOf(DType dtype) { return kDTypes[static_cast<size_t>(dtype)]; }

constexpr bool RowsFollowTheEnum() {
  for (size_t i = 0; i < std::size(kDTypes); ++i) {
    if (static_cast<size_t>(kDTypes[i].dtype) != i) return false;
  }
  return true;
}
static_assert(RowsFollowTheEnum());

template <typename T>
T Load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

// One loop for each type, without branches, so that the compiler vectorises it. Each returns whether all are finite.
bool FromF32(const std::byte* in, std::span<float> out) {
  uint32_t not_finite = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    const uint32_t bits = Load<uint32_t>(in + 4 * i);
    not_finite |= static_cast<uint32_t>((bits & 0x7F800000u) == 0x7F800000u);
    out[i] = std::bit_cast<float>(bits);
  }
  return not_finite == 0;
}

bool FromBF16(const std::byte* in, std::span<float> out) {
  uint32_t not_finite = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    const uint32_t bits = static_cast<uint32_t>(Load<uint16_t>(in + 2 * i)) << 16;
    not_finite |= static_cast<uint32_t>((bits & 0x7F800000u) == 0x7F800000u);
    out[i] = std::bit_cast<float>(bits);
  }
  return not_finite == 0;
}

// A half's exponent and fraction, put where a float has them, are its value times 2^-112: the multiplication is exact,
// also for the half's subnormals, which are subnormal floats before it and normal ones after.
bool FromF16(const std::byte* in, std::span<float> out) {
  constexpr float kRebias = 0x1p112f;
  uint32_t not_finite = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    const uint32_t half = Load<uint16_t>(in + 2 * i);
    not_finite |= static_cast<uint32_t>((half & 0x7C00u) == 0x7C00u);
    const float magnitude = std::bit_cast<float>((half & 0x7FFFu) << 13) * kRebias;
    out[i] = std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | (half & 0x8000u) << 16);
  }
  return not_finite == 0;
}

// Halves above this are infinities and NaNs, which FromF16 turns into numbers too large for a half.
constexpr float kLargestHalf = 65504.0f;

absl::Status NotFinite(const TensorView& tensor, size_t first, std::span<const float> values) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i]) && (tensor.dtype != DType::kF16 || std::abs(values[i]) <= kLargestHalf)) continue;
    return DataLoss(tensor.file, ": ", tensor.name, ": element ", first + i, " of ", tensor.elements(),
                    " is a NaN or an infinity; a trained weight is finite");
  }
  return Internal(tensor.name, ": the check for finite weights contradicts itself");
}

}  // namespace

std::string_view DTypeName(DType dtype) { return RowOf(dtype).name; }
int DTypeBits(DType dtype) { return RowOf(dtype).bits; }

std::optional<DType> DTypeFromName(std::string_view name) {
  for (const DTypeRow& row : kDTypes) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

std::string ShapeText(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += Cat(i == 0 ? "" : ", ", shape[i]);
  return text + "]";
}

absl::Status ToFloat32(const TensorView& tensor, size_t first, std::span<float> out) {
  const std::byte* in = tensor.bytes.data() + first * DTypeBits(tensor.dtype) / 8;
  bool finite = true;
  switch (tensor.dtype) {
    case DType::kF32:
      finite = FromF32(in, out);
      break;
    case DType::kF16:
      finite = FromF16(in, out);
      break;
    case DType::kBF16:
      finite = FromBF16(in, out);
      break;
    default:
      return FailedPrecondition(tensor.file, ": ", tensor.name, ": expected weights of F32, F16 or BF16, found ",
                                DTypeName(tensor.dtype));
  }
  return finite ? absl::OkStatus() : NotFinite(tensor, first, out);
}

}  // namespace ks
