// How a layer's rows and columns are divided among a team. Private to backend/onnx.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/dispatch.h"

namespace ks {

// Rows of a block at most: their feed-forward, in float and in bytes, and the weights that pass by should share a
// second-level cache, and a block should be worth reading all the weights for. Tiles are through with 64 rows before the
// next weights are there; every CPU that has them has 2 MB of that cache. With 192 long batches run 1.04 to 1.08 x as fast
// as with 128; with 256, one text of so many tokens 0.96 x.
constexpr int MostBlockRows(IsaLevel isa) { return isa == IsaLevel::kAvx512Amx ? 192 : 64; }
inline constexpr int kBlockStep = 4;  // rows that are a whole tile on every instruction set

// Rows to which members share out what is one block for each. A tile that is not whole costs less than a member that has
// nothing to do; how much less depends on its height.
constexpr int SharedStep(IsaLevel isa) {
  if (isa == IsaLevel::kAvx512Amx) return kBlockStep;
  return isa == IsaLevel::kAvx2 ? 1 : 2;
}

// Columns that all instruction sets' tiles divide.
inline constexpr int kPanel = 3 * kInt8Outputs;

struct Range {
  int begin = 0;
  int end = 0;
  int size() const { return end - begin; }
};

// Which part of something, of how many.
struct Share {
  int index = 0;
  int count = 1;

  // Cut at multiples of `step`.
  Range Of(int size, int step = 1) const {
    const int64_t steps = (size + step - 1) / step;
    const auto cut = [&](int64_t part) { return std::min(static_cast<int>(steps * part / count) * step, size); };
    return {cut(index), cut(index + 1)};
  }
  Range Columns(int outputs) const {
    const bool has_panels = outputs % kPanel == 0 && outputs / kPanel >= count;
    return Of(outputs, has_panels ? kPanel : kInt8Outputs);
  }
};

inline constexpr Share kWhole = {};

// Rows cut into equally long blocks of at most MostBlockRows, the same number of them for each member.
struct Blocks {
  Blocks(int rows_in, int members, IsaLevel isa) : rows(rows_in) {
    const int most = MostBlockRows(isa);
    const int rounds = std::max(1, (rows + members * most - 1) / (members * most));
    const int step = rounds == 1 && members > 1 ? SharedStep(isa) : kBlockStep;
    const int wanted = rounds * members;
    length = ((rows + wanted - 1) / wanted + step - 1) / step * step;
  }
  Range operator[](int block) const { return {block * length, std::min((block + 1) * length, rows)}; }
  int count() const { return (rows + length - 1) / length; }

  int rows;
  int length;
};

}  // namespace ks
