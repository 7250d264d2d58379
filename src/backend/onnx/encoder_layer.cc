// A team walks through the layers together; what a member does between two meetings depends on the plan alone. The
// stages after attention are written once: in kRows a member calls them for its own block and all columns, in kColumns
// all call them for the same block and their own columns.
// Tested by encoder_layer_test.cc.
#include "backend/onnx/encoder_layer.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <deque>
#include <span>

#include "backend/onnx/layer_shares.h"
#include "backend/onnx/layer_workspace.h"

namespace ks {
namespace {

// Rows that norm and quantisation pass on to each other in the first-level cache.
constexpr int kNormRows = 8;

// The columns of a matrix as a matrix; they begin at a multiple of kInt8Outputs.
Int8Weights Cut(const Int8Weights& weights, Range columns) {
  Int8Weights part = weights;
  part.packed += static_cast<size_t>(columns.begin) * PaddedInputs(weights.inputs);
  part.scales += columns.begin;
  part.column_sums += columns.begin;
  part.bias += columns.begin;
  part.outputs = columns.size();
  return part;
}

// The most of a share that a member fetches while it waits: half of a second-level cache that is not large.
constexpr size_t kMostAhead = 512 << 10;

// A share of a matrix as memory that will be read soon.
Soon SoonRead(const Int8Weights& weights, Range columns) {
  const size_t inputs = static_cast<size_t>(PaddedInputs(weights.inputs));
  const char* const first = reinterpret_cast<const char*>(weights.packed) + columns.begin * inputs;
  return {first, first + std::min(kMostAhead, columns.size() * inputs)};
}

// Where a dense layer's rows go, and what is done to them on the way; arrays begin with column 0 of row 0 and have the
// same stride.
struct Result {
  float* out = nullptr;
  size_t stride = 0;
  const float* residual = nullptr;
  Epilogue epilogue = Epilogue::kNone;
};

// One layer of a call of RunLayers, for all members.
class LayerRun {
 public:
  LayerRun(const KernelTable& kernels, const LayerWeights& layer, const LayerArgs& args, LayerPlan plan,
           const LayerWorkspace& space, Team& team)
      : kernels_(kernels),
        layer_(layer),
        args_(args),
        team_(team),
        space_(space),
        width_(layer.hidden()),
        head_size_(width_ / layer.heads),
        rows_(OutputRows(layer, args)),
        by_columns_(plan == LayerPlan::kColumns),
        finishes_by_columns_(FinishesByColumns(kernels, layer, args, plan, team.size())),
        input_blocks_(args.tokens(), team.size(), kernels.isa),
        output_blocks_(rows_, team.size(), kernels.isa),
        keys_and_values_(Cut(layer.qkv, {width_, 3 * width_})) {
    const int heads_each = layer.heads / team.size();
    heads_apart_ = by_columns_ && layer.heads % team.size() == 0 && heads_each * head_size_ % kInt8Outputs == 0;
  }

  // The weights that a member reads first.
  Soon First(Share share) const { return by_columns_ ? SoonRead(layer_.qkv, QueryColumns(share)) : Soon(); }

  // A member's part. `soon` is what it reads next, at first First() and behind it that of the layer `next`, if any.
  void Work(Share share, Soon& soon, const LayerRun* next) {
    const LayerMember& member = space_.members[share.index];
    if (by_columns_) {
      ProjectShare(share, soon);
    } else {
      ProjectBlocks(member.block);
      soon = SoonRead(layer_.attention_output, share.Columns(width_));
    }
    if (!finishes_by_columns_) {
      team_.Meet();
      FinishBlocks(member);
      return;
    }
    const Soon after = next == nullptr ? Soon() : next->First(share);
    if (heads_apart_) {  // the projection was of the same heads
      Attend({0, rows_}, share.Of(layer_.heads), space_.shared.context, member.attention);
    } else {
      team_.Meet(soon);
      AttendUnits(member.attention);
    }
    team_.Meet(soon);
    Finish(space_.shared, {0, rows_}, share, soon, after);
  }

 private:
  void Meet(Share share, Soon& soon) {
    if (share.count > 1) team_.Meet(soon);
  }

  // --- Queries, keys and values ---

  void ProjectBlocks(const LayerBlock& block) {
    for (int i = next_input_block_++; i < input_blocks_.count(); i = next_input_block_++) {
      const Range rows = input_blocks_[i];
      QuantizeInput(rows, block.bytes);
      ProjectQueries(block.bytes, rows, {0, width_});
      ProjectKeysAndValues(block, rows.size(), {0, 2 * width_});
      QuantizeHeads(block, rows, {0, layer_.heads});
    }
  }

  void ProjectShare(Share share, Soon& soon) {
    const Range all = {0, args_.tokens()};
    const Range mine = share.Of(all.size());
    const Range heads = share.Of(layer_.heads);
    const Range columns = QueryColumns(share);
    QuantizeInput(mine, space_.shared.bytes.From(mine.begin, InputStride()));
    team_.Meet(soon);
    if (heads_apart_) {
      ProjectQueries(space_.shared.bytes, all, columns);
      ProjectKeysAndValues(space_.shared, all.size(), columns);
      ProjectKeysAndValues(space_.shared, all.size(), {width_ + columns.begin, width_ + columns.end});
    } else {
      ProjectQueries(space_.shared.bytes, all, columns);
      ProjectKeysAndValues(space_.shared, all.size(), share.Columns(2 * width_));
    }
    soon = SoonRead(layer_.attention_output, share.Columns(width_));
    if (!heads_apart_) team_.Meet(soon);
    QuantizeHeads(space_.shared, all, heads);
  }

  // Of a member that has columns of its own.
  Range QueryColumns(Share share) const {
    const Range heads = share.Of(layer_.heads);
    return heads_apart_ ? Range{heads.begin * head_size_, heads.end * head_size_} : share.Columns(width_);
  }

  size_t InputStride() const { return static_cast<size_t>(PaddedInputs(width_)); }

  // The sequences that begin in `rows`.
  Range FirstsIn(Range rows) const {
    const int32_t* const end = args_.offsets + args_.sequences;
    return {static_cast<int>(std::lower_bound(args_.offsets, end, rows.begin) - args_.offsets),
            static_cast<int>(std::lower_bound(args_.offsets, end, rows.end) - args_.offsets)};
  }

  // `bytes` begins with the first of the rows; first tokens are also gathered where they are wanted alone.
  void QuantizeInput(Range rows, const QuantizedRows& bytes) {
    const size_t width = static_cast<size_t>(width_);
    Quantize(args_.x + rows.begin * width, width, layer_.qkv, bytes, {0, rows.size()});
    if (!layer_.first_tokens) return;
    const Range firsts = FirstsIn(rows);
    for (int i = firsts.begin; i < firsts.end; ++i) {
      const QuantizedRows from = bytes.From(args_.offsets[i] - rows.begin, InputStride());
      const QuantizedRows to = space_.first_bytes.From(i, InputStride());
      std::memcpy(to.q, from.q, InputStride());
      *to.scales = *from.scales;
      *to.zero_points = *from.zero_points;
    }
  }

  // Columns of the queries; `bytes` begins with the first of the rows. Where first tokens alone are wanted, those of the
  // sequences that begin in `rows`.
  void ProjectQueries(const QuantizedRows& bytes, Range rows, Range columns) {
    const size_t width = static_cast<size_t>(width_);
    if (layer_.first_tokens) {
      const Range firsts = FirstsIn(rows);
      Dense(space_.first_bytes.From(firsts.begin, InputStride()), firsts.size(), layer_.qkv, columns,
            {.out = space_.queries + firsts.begin * width, .stride = width});
    } else {
      Dense(bytes, rows.size(), layer_.qkv, columns, {.out = space_.queries + rows.begin * width, .stride = width});
    }
  }

  // Columns of [keys, values] to block.inner.
  void ProjectKeysAndValues(const LayerBlock& block, int rows, Range columns) {
    Dense(block.bytes, rows, keys_and_values_, columns, {.out = block.inner, .stride = SpreadStride(2 * width_)});
  }

  // Some heads' keys and values from block.inner, which begins with the first of the rows.
  void QuantizeHeads(const LayerBlock& block, Range rows, Range heads) {
    const float* const keys = block.inner + heads.begin * head_size_;
    QuantizeHeads(keys, space_.keys, rows, heads);
    QuantizeHeads(keys + width_, space_.values, rows, heads);
  }

  void QuantizeHeads(const float* x, const QuantizedHeads& to, Range rows, Range heads) {
    const size_t tokens = static_cast<size_t>(args_.tokens());
    kernels_.quantize_heads({.x = x,
                             .x_stride = SpreadStride(2 * width_),
                             .q = to.q + heads.begin * HeadBytesEach() + rows.begin * HeadRowBytes(head_size_),
                             .head_bytes = HeadBytesEach(),
                             .scales = to.scales + heads.begin * tokens + rows.begin,
                             .head_scales = tokens,
                             .rows = rows.size(),
                             .heads = heads.size(),
                             .head_size = head_size_});
  }

  size_t HeadBytesEach() const { return static_cast<size_t>(args_.tokens()) * HeadRowBytes(head_size_); }

  // --- Attention ---

  // One head of some queries at a time, for whoever comes first.
  void AttendUnits(float* scratch) {
    const int units = (rows_ + kInt8AttentionRows - 1) / kInt8AttentionRows * layer_.heads;
    for (int unit = next_unit_++; unit < units; unit = next_unit_++) {
      const int begin = unit / layer_.heads * kInt8AttentionRows;
      const int head = unit % layer_.heads;
      Attend({begin, std::min(begin + kInt8AttentionRows, rows_)}, {head, head + 1},
             space_.shared.context + static_cast<size_t>(begin) * width_, scratch);
    }
  }

  // Some heads of the output rows `rows`, of which `context` begins with the first.
  void Attend(Range rows, Range heads, float* context, float* scratch) {
    if (layer_.first_tokens) {
      for (int i = rows.begin; i < rows.end; ++i) {
        AttendRows({i, i + 1}, i, heads, context + static_cast<size_t>(i - rows.begin) * width_, scratch);
      }
      return;
    }
    const int32_t* const offsets = args_.offsets;
    int sequence = static_cast<int>(std::upper_bound(offsets, offsets + args_.sequences, rows.begin) - offsets) - 1;
    for (int row = rows.begin; row < rows.end; ++sequence) {
      const int end = std::min(rows.end, static_cast<int>(offsets[sequence + 1]));
      AttendRows({row, end}, sequence, heads, context + static_cast<size_t>(row - rows.begin) * width_, scratch);
      row = end;
    }
  }

  // Rows of space_.queries, which are one sequence's.
  void AttendRows(Range rows, int sequence, Range heads, float* context, float* scratch) {
    const size_t width = static_cast<size_t>(width_);
    const int begin = args_.offsets[sequence];
    for (int head = heads.begin; head < heads.end; ++head) {
      const int column = head * head_size_;
      kernels_.int8_attention({.q = space_.queries + rows.begin * width + column,
                               .q_stride = width,
                               .keys = Of(space_.keys, head, begin),
                               .values = Of(space_.values, head, begin),
                               .rows = rows.size(),
                               .tokens = args_.offsets[sequence + 1] - begin,
                               .head_size = head_size_,
                               .out = context + column,
                               .out_stride = width,
                               .scratch = scratch});
    }
  }

  HeadBytes Of(const QuantizedHeads& heads, int head, int token) const {
    return {heads.q + head * HeadBytesEach() + token * HeadRowBytes(head_size_),
            heads.scales + static_cast<size_t>(head) * args_.tokens() + token};
  }

  // --- Behind attention ---

  void FinishBlocks(const LayerMember& member) {
    Soon nobody;  // alone, one waits for none
    for (int i = next_output_block_++; i < output_blocks_.count(); i = next_output_block_++) {
      const Range rows = output_blocks_[i];
      Attend(rows, {0, layer_.heads}, member.block.context, member.attention);
      Finish(member.block, rows, kWhole, nobody, {});
    }
  }

  // The output rows `rows` from block.context on, by those who share them, who read `after` next.
  void Finish(const LayerBlock& block, Range rows, Share share, Soon& soon, Soon after) {
    const int count = rows.size();
    const size_t width = static_cast<size_t>(width_);
    const Range mine = share.Of(count);
    const float* residual = args_.x + rows.begin * width;
    if (layer_.first_tokens) {
      residual = block.hidden;
      for (int i = mine.begin; i < mine.end; ++i) {
        std::memcpy(block.hidden + i * width, args_.x + args_.offsets[rows.begin + i] * width, width * sizeof(float));
      }
    }
    float* const out = args_.out + rows.begin * width;

    Quantize(block.context, width, layer_.attention_output, block.bytes, mine);
    Meet(share, soon);
    Dense(block.bytes, count, layer_.attention_output, share.Columns(width_),
          {.out = block.hidden, .stride = width, .residual = residual});
    soon = SoonRead(layer_.ffn_in, share.Columns(layer_.inner()));
    Meet(share, soon);
    for (int row = mine.begin; row < mine.end; row += kNormRows) {
      const Range some = {row, std::min(row + kNormRows, mine.end)};
      Norm(block.hidden, layer_.attention_norm, some);
      Quantize(block.hidden, width, layer_.ffn_in, block.bytes, some);
    }
    Meet(share, soon);
    Dense(block.bytes, count, layer_.ffn_in, share.Columns(layer_.inner()),
          {.out = block.inner, .stride = SpreadStride(layer_.inner()), .epilogue = Epilogue::kGelu});
    soon = SoonRead(layer_.ffn_out, share.Columns(width_));
    Meet(share, soon);
    Quantize(block.inner, SpreadStride(layer_.inner()), layer_.ffn_out, block.bytes, mine);
    Meet(share, soon);
    Dense(block.bytes, count, layer_.ffn_out, share.Columns(width_),
          {.out = out, .stride = width, .residual = block.hidden});
    soon = after;
    Meet(share, soon);
    Norm(out, layer_.ffn_norm, mine);
  }

  // --- The kernels, over rows of arrays that begin with row 0 ---

  void Quantize(const float* x, size_t x_stride, const Int8Weights& weights, const QuantizedRows& bytes, Range rows) {
    const size_t stride = static_cast<size_t>(PaddedInputs(weights.inputs));
    const QuantizedRows to = bytes.From(rows.begin, stride);
    kernels_.quantize_rows({.x = x + rows.begin * x_stride,
                            .x_stride = x_stride,
                            .multipliers = weights.multipliers,
                            .q = to.q,
                            .q_stride = stride,
                            .scales = to.scales,
                            .zero_points = to.zero_points,
                            .rows = rows.size(),
                            .inputs = weights.inputs});
  }

  void Dense(const QuantizedRows& bytes, int rows, const Int8Weights& weights, Range columns, const Result& result) {
    if (rows == 0 || columns.size() == 0) return;
    kernels_.int8_linear({.q = bytes.q,
                          .q_stride = static_cast<size_t>(PaddedInputs(weights.inputs)),
                          .scales = bytes.scales,
                          .zero_points = bytes.zero_points,
                          .weights = Cut(weights, columns),
                          .epilogue = result.epilogue,
                          .residual = result.residual == nullptr ? nullptr : result.residual + columns.begin,
                          .residual_stride = result.stride,
                          .out = result.out + columns.begin,
                          .out_stride = result.stride,
                          .rows = rows});
  }

  void Norm(float* x, const LayerWeights::Norm& norm, Range rows) {
    float* const first = x + static_cast<size_t>(rows.begin) * width_;
    kernels_.layer_norm({.x = first,
                         .gamma = norm.gamma,
                         .beta = norm.beta,
                         .eps = layer_.epsilon,
                         .out = first,
                         .rows = rows.size(),
                         .width = width_});
  }

  const KernelTable& kernels_;
  const LayerWeights& layer_;
  const LayerArgs args_;
  Team& team_;
  const LayerWorkspace& space_;
  const int width_;
  const int head_size_;
  const int rows_;  // of the output
  const bool by_columns_;
  const bool finishes_by_columns_;
  bool heads_apart_;  // members have whole heads, so they need not meet before attention
  const Blocks input_blocks_, output_blocks_;

  const Int8Weights keys_and_values_;  // of layer_.qkv
  std::atomic<int> next_input_block_ = 0, next_unit_ = 0, next_output_block_ = 0;
};

}  // namespace

LayerPlan FasterPlan(IsaLevel isa, int hidden, int tokens, int members) {
  return members > 1 && tokens < LeastRowsEach(isa, hidden) * members ? LayerPlan::kColumns : LayerPlan::kRows;
}

void RunLayers(const KernelTable& kernels, std::span<const LayerWeights> layers, const LayerArgs& args, LayerPlan plan,
               Team& team) {
  const LayerWorkspace space(kernels, layers, args, plan, team.size());
  std::deque<LayerRun> runs;
  for (const LayerWeights& layer : layers) {
    LayerArgs own = args;
    if (&layer != &layers.front()) own.x = space.between;
    if (&layer != &layers.back()) own.out = space.between;
    runs.emplace_back(kernels, layer, own, plan, space, team);
  }
  team.Run([&](int member) {
    const Share share = {member, team.size()};
    Soon soon = runs.front().First(share);
    for (size_t i = 0; i < runs.size(); ++i) {
      const bool is_last = i + 1 == runs.size();
      runs[i].Work(share, soon, is_last ? nullptr : &runs[i + 1]);
      // In kColumns a member begins a layer with the rows with which it ended the one before.
      if (!is_last && plan == LayerPlan::kRows) team.Meet();
    }
  });
}

}  // namespace ks
