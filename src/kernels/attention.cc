// Cuts attention into tasks of similar cost. Tested by attention_test.cc.
#include "kernels/attention.h"

#include <algorithm>
#include <cmath>

#include "kernels/dispatch.h"
#include "kernels/thread_scratch.h"

namespace ks {
namespace {

// About 20 microseconds of one core: much more than handing out a task costs, much less than a batch.
constexpr int64_t kTaskMultiplyAdds = 1 << 20;

int Blocks(int queries) { return (queries + kAttentionRows - 1) / kAttentionRows; }

}  // namespace

AttentionTasks::AttentionTasks(const KernelTable& kernels, const AttentionArgs& args) : kernels_(kernels), args_(args) {
  int64_t cost = kTaskMultiplyAdds;  // of the last task; full, so that the first unit opens one
  for (int sequence = 0; sequence < args.sequences; ++sequence) {
    const int units = Units(sequence);
    const int64_t unit_cost =
        int64_t{2} * Tokens(sequence) * std::min(Queries(sequence), kAttentionRows) * args.head_size;
    for (int unit = 0; unit < units; ++unit) {
      if (cost + unit_cost > kTaskMultiplyAdds) {
        tasks_.push_back({sequence, unit, 0});
        cost = 0;
      }
      ++tasks_.back().units;
      cost += unit_cost;
    }
  }
}

int AttentionTasks::Queries(int sequence) const {
  const int tokens = Tokens(sequence);
  return args_.first_only ? std::min(tokens, 1) : tokens;
}

int AttentionTasks::Units(int sequence) const { return args_.heads * Blocks(Queries(sequence)); }

void AttentionTasks::Run(size_t i) const {
  const Task& task = tasks_[i];
  int sequence = task.sequence;
  int unit = task.first_unit;
  for (int done = 0; done < task.units; ++done) {
    while (unit == Units(sequence)) {
      ++sequence;
      unit = 0;
    }
    RunUnit(sequence, unit);
    ++unit;
  }
}

void AttentionTasks::RunUnit(int sequence, int unit) const {
  const size_t start = static_cast<size_t>(args_.offsets[sequence]);
  const int tokens = Tokens(sequence);
  const int queries = Queries(sequence);
  const int blocks = Blocks(queries);
  const size_t column = static_cast<size_t>(unit / blocks) * args_.head_size;
  const int first_row = unit % blocks * kAttentionRows;
  const size_t row = start + first_row;
  const size_t out_row = args_.first_only ? static_cast<size_t>(sequence) : row;
  kernels_.attention_block({
      .q = args_.q + row * args_.row_stride + column,
      .k = args_.k + start * args_.row_stride + column,
      .v = args_.v + start * args_.row_stride + column,
      .row_stride = args_.row_stride,
      .rows = std::min(kAttentionRows, queries - first_row),
      .tokens = tokens,
      .head_size = args_.head_size,
      .scale = 1.0f / std::sqrt(static_cast<float>(args_.head_size)),
      .out = args_.out + out_row * args_.out_stride + column,
      .out_stride = args_.out_stride,
      .scratch = ThreadScratch(AttentionScratchFloats(tokens, args_.head_size)),
  });
}

}  // namespace ks
