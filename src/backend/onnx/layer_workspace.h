// Where the layers of a run keep what they compute on the way. Private to backend/onnx.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/onnx/encoder_layer.h"
#include "backend/onnx/layer_shares.h"
#include "backend/onnx/thread_memory.h"
#include "kernels/int8_attention.h"

namespace ks {

// Fewer rows for each member than this: every member would read all the weights for little work. What is little depends on
// how soon a set is through with it, and on whether a second-level cache keeps a layer's weights from one block to the next.
inline int LeastRowsEach(IsaLevel isa, int hidden) {
  const bool is_kept = hidden <= 512;
  switch (isa) {
    case IsaLevel::kAvx2:
      return is_kept ? 8 : 24;
    case IsaLevel::kAvx512Vnni:
      return is_kept ? 13 : 24;
    case IsaLevel::kAvx512Amx:
      return is_kept ? 18 : 33;
    default:
      return 24;
  }
}

// Rows as a dense layer takes them; a row has as many bytes as that layer's inputs.
struct QuantizedRows {
  uint8_t* q = nullptr;
  float* scales = nullptr;
  int32_t* zero_points = nullptr;

  QuantizedRows From(int row, size_t stride) const { return {q + row * stride, scales + row, zero_points + row}; }
};

// One of keys and values: rows of heads, each head's side by side.
struct QuantizedHeads {
  uint8_t* q = nullptr;     // [heads, T, HeadRowBytes]
  float* scales = nullptr;  // [heads, T]
};

// What rows need on their way from attention to the end of the layer.
struct LayerBlock {
  float* context = nullptr;  // [rows, H]
  float* hidden = nullptr;   // [rows, H]
  float* inner = nullptr;    // [rows, F], and before attention keys and values [rows, 2H]; rows SpreadStride apart
  QuantizedRows bytes;       // of whichever layer comes next
};

// Rows that a layer computes to its end.
inline int OutputRows(const LayerWeights& layer, const LayerArgs& args) {
  return layer.first_tokens ? args.sequences : args.tokens();
}

// From attention on a layer may have few rows where its input had many.
inline bool FinishesByColumns(const KernelTable& kernels, const LayerWeights& layer, const LayerArgs& args,
                              LayerPlan plan, int members) {
  return plan == LayerPlan::kColumns ||
         (members > 1 && OutputRows(layer, args) < LeastRowsEach(kernels.isa, layer.hidden()) * members);
}

// What members need apart from each other.
struct LayerMember {
  LayerBlock block;            // where each has rows of its own
  float* attention = nullptr;  // scratch
};

// The memory of one call of RunLayers, which its layers use one after another.
struct LayerWorkspace {
  float* between = nullptr;  // [T, H]: what one layer hands to the next
  float* queries = nullptr;  // [T, H]
  QuantizedHeads keys, values;
  QuantizedRows first_bytes;  // [B, H]
  LayerBlock shared;          // where members share rows
  std::vector<LayerMember> members;

  LayerWorkspace(const KernelTable& kernels, std::span<const LayerWeights> layers, const LayerArgs& args,
                 LayerPlan plan, int team)
      : members(static_cast<size_t>(team)) {
    Sizes sizes = {.block_rows = Blocks(args.tokens(), team, kernels.isa).length};
    for (const LayerWeights& layer : layers) {
      const int rows = OutputRows(layer, args);
      sizes.block_rows = std::max(sizes.block_rows, Blocks(rows, team, kernels.isa).length);
      if (FinishesByColumns(kernels, layer, args, plan, team)) sizes.shared_rows = std::max(sizes.shared_rows, rows);
    }
    if (plan == LayerPlan::kColumns) sizes = {.shared_rows = args.tokens()};
    Carver counter(nullptr);
    Lay(counter, layers, args, sizes);
    Carver carver(ThreadMemory(counter.used()));
    Lay(carver, layers, args, sizes);
  }

 private:
  struct Sizes {
    int block_rows = 0;
    int shared_rows = 0;
  };

  void Lay(Carver& carver, std::span<const LayerWeights> layers, const LayerArgs& args, const Sizes& sizes) {
    const LayerWeights& layer = layers.front();
    const size_t tokens = static_cast<size_t>(args.tokens());
    const int width = layer.hidden();
    const int head_size = width / layer.heads;
    const auto floats = [&](size_t rows, int columns) { return carver.Take<float>(rows * columns); };
    const auto bytes = [&](size_t rows, int inputs) -> QuantizedRows {
      return {carver.Take<uint8_t>(rows * PaddedInputs(inputs)), carver.Take<float>(rows), carver.Take<int32_t>(rows)};
    };
    const auto block = [&](size_t rows) -> LayerBlock {
      return {floats(rows, width), floats(rows, width),
              carver.Take<float>(rows * SpreadStride(std::max(layer.inner(), 2 * width))),
              bytes(rows, std::max(width, layer.inner()))};
    };
    const auto heads = [&]() -> QuantizedHeads {
      return {carver.Take<uint8_t>(layer.heads * tokens * HeadRowBytes(head_size)), floats(tokens, layer.heads)};
    };
    if (layers.size() > 1) between = floats(tokens, width);
    queries = floats(tokens, width);
    keys = heads();
    values = heads();
    if (layers.back().first_tokens) first_bytes = bytes(static_cast<size_t>(args.sequences), width);
    shared = block(static_cast<size_t>(sizes.shared_rows));
    int longest = 0;
    for (int i = 0; i < args.sequences; ++i) longest = std::max(longest, args.offsets[i + 1] - args.offsets[i]);
    for (LayerMember& member : members) {
      member.attention = carver.Take<float>(Int8AttentionScratch(longest, head_size));
      member.block = block(static_cast<size_t>(sizes.block_rows));
    }
  }
};

}  // namespace ks
