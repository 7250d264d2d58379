// Runs a little of each instruction set and holds the bits against the scalar reference. Tested by dispatch_test.cc.
#include <cstring>

#include "kernels/dispatch.h"

namespace ks {
namespace {

// Shapes that end within a register and within a tile.
constexpr int kRows = 19, kInputs = 100, kOutputs = 40;
constexpr int kHeads = 2, kHeadSize = 16, kWidth = kHeads * kHeadSize;

// What one table computes from inputs that are always the same.
std::vector<float> Sample(const KernelTable& kernels) {
  // Like noise, from -1 to 1.
  const auto values = [](size_t n, unsigned seed) {
    std::vector<float> out(n);
    for (float& value : out) {
      seed = seed * 1664525u + 1013904223u;
      value = static_cast<float>(seed >> 8) * 0x1p-23f - 1.0f;
    }
    return out;
  };
  const std::vector<float> x = values(size_t{kRows} * kInputs, 1);
  const std::vector<float> multipliers(kInputs, 1.0f);
  std::vector<int8_t> w;
  for (const float value : values(size_t{kOutputs} * kInputs, 2)) w.push_back(static_cast<int8_t>(value * 127));
  // One line more, so that the packed weights can begin on a 64-byte boundary.
  std::vector<int8_t> room(PackedInt8Bytes(kOutputs, kInputs) + 64);
  int8_t* const packed = room.data() + (64 - reinterpret_cast<uintptr_t>(room.data()) % 64);
  std::vector<int32_t> column_sums(PaddedOutputs(kOutputs));
  PackInt8Weights(w.data(), kOutputs, kInputs, packed, column_sums.data());
  const std::vector<float> scales = values(PaddedOutputs(kOutputs), 3);

  std::vector<uint8_t> q(size_t{kRows} * PaddedInputs(kInputs));
  std::vector<float> row_scales(kRows);
  std::vector<int32_t> zero_points(kRows);
  kernels.quantize_rows({.x = x.data(),
                         .x_stride = kInputs,
                         .multipliers = multipliers.data(),
                         .q = q.data(),
                         .q_stride = static_cast<size_t>(PaddedInputs(kInputs)),
                         .scales = row_scales.data(),
                         .zero_points = zero_points.data(),
                         .rows = kRows,
                         .inputs = kInputs});
  std::vector<float> out(size_t{kRows} * kOutputs + size_t{kRows} * 2 * kWidth);
  kernels.int8_linear({.q = q.data(),
                       .q_stride = static_cast<size_t>(PaddedInputs(kInputs)),
                       .scales = row_scales.data(),
                       .zero_points = zero_points.data(),
                       .weights = {.packed = packed,
                                   .scales = scales.data(),
                                   .column_sums = column_sums.data(),
                                   .inputs = kInputs,
                                   .outputs = kOutputs},
                       .epilogue = Epilogue::kGelu,
                       .out = out.data(),
                       .out_stride = kOutputs,
                       .rows = kRows});
  const int32_t offsets[] = {0, kRows};
  AttentionArgs attention = {.q = x.data(),
                             .k = x.data() + kWidth,
                             .v = x.data() + 2 * kWidth,
                             .row_stride = kInputs,
                             .offsets = offsets,
                             .sequences = 1,
                             .heads = kHeads,
                             .head_size = kHeadSize,
                             .out = out.data() + size_t{kRows} * kOutputs,
                             .out_stride = 2 * kWidth};
  RunAll(AttentionTasks(kernels, attention));
  attention.out += kWidth;
  RunAll(Int8AttentionTasks(kernels, attention));
  return out;
}

}  // namespace

std::vector<std::pair<IsaLevel, IsaState>> TryIsas() {
  const std::vector<float> expected = Sample(Kernels(IsaLevel::kScalar));
  const auto state = [&](const KernelTable& kernels, IsaState good) {
    const std::vector<float> found = Sample(kernels);
    return std::memcmp(found.data(), expected.data(), expected.size() * sizeof(float)) == 0 ? good : IsaState::kWrong;
  };
  std::vector<std::pair<IsaLevel, IsaState>> states;
  for (const IsaLevel isa :
       {IsaLevel::kScalar, IsaLevel::kAvx2, IsaLevel::kAvx512, IsaLevel::kAvx512Vnni, IsaLevel::kAvx512Amx}) {
    if (IsSupported(isa)) {
      states.emplace_back(isa, state(Kernels(isa), IsaState::kExecuted));
    } else if (isa == IsaLevel::kAvx512Amx) {
      states.emplace_back(isa, state(EmulatedAmxKernels(), IsaState::kEmulated));
    } else {
      states.emplace_back(isa, IsaState::kAbsent);
    }
  }
  return states;
}

std::string_view IsaStateName(IsaState state) {
  switch (state) {
    case IsaState::kExecuted:
      return "executed";
    case IsaState::kEmulated:
      return "emulated";
    case IsaState::kAbsent:
      return "absent";
    case IsaState::kWrong:
      return "wrong";
  }
  return "unknown";
}

}  // namespace ks
