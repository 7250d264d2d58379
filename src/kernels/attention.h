// Multi-head self-attention over packed sequences of different lengths: no padding, no mask.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ks {

struct KernelTable;

// Shapes (T = tokens of all sequences end to end, B = sequences, H = heads * head_size):
//   q, k, v  float32 [T, H]   rows `row_stride` floats apart: H for three arrays, 3 * H for one [T, 3H] array
//                             (k = q + H, v = q + 2 * H)
//   offsets  int32   [B + 1]  sequence i is the rows [offsets[i], offsets[i + 1]); offsets[0] = 0, offsets[B] = T
//   out      float32 [T, H]   rows `out_stride` floats apart; must not overlap the inputs
// For each sequence and head: out = softmax(q k^T / sqrt(head_size)) v.
//
// With `first_only` the queries are the first row of each sequence alone, which is all that a last layer needs whose
// classifier reads first tokens:
//   out      float32 [B, H]   row i belongs to sequence i, with the bits that its first row has otherwise; the row of an
//                             empty sequence is not written
// Keys and values are all rows, as ever; q's other rows are not read. The cost grows with T, not with the squares of the
// lengths.
struct AttentionArgs {
  const float* q = nullptr;
  const float* k = nullptr;
  const float* v = nullptr;
  size_t row_stride = 0;
  const int32_t* offsets = nullptr;
  int sequences = 0;
  int heads = 0;
  int head_size = 0;
  bool first_only = false;
  float* out = nullptr;
  size_t out_stride = 0;
};

// One call of attention, cut into tasks for whichever parallel loop the caller has:
//
//   const AttentionTasks tasks(BestKernels(), args);
//   parallel_for.Run(tasks.count(), [&](size_t i) { tasks.Run(i); });
//
// Tasks are independent: any order, any threads. Neither the cut nor the order changes a bit of the result. A task is
// worth some tens of microseconds, so a batch of short texts is few tasks. Each thread that runs tasks keeps scratch
// memory of about 130 bytes for each token of the longest sequence it has seen.
class AttentionTasks {
 public:
  // Requires 1 <= head_size, offsets not descending. The arrays behind `args` must outlive the object.
  AttentionTasks(const KernelTable& kernels, const AttentionArgs& args);

  size_t count() const { return tasks_.size(); }

  // Requires i < count().
  void Run(size_t i) const;

 private:
  // Consecutive (head, row block) pairs, numbered head by head within each sequence; they may go on in the sequences
  // after.
  struct Task {
    int sequence;
    int first_unit;
    int units;
  };

  int Tokens(int sequence) const { return args_.offsets[sequence + 1] - args_.offsets[sequence]; }
  int Queries(int sequence) const;
  int Units(int sequence) const;
  void RunUnit(int sequence, int unit) const;

  const KernelTable& kernels_;
  AttentionArgs args_;
  std::vector<Task> tasks_;
};

// All tasks, one after the other on the calling thread.
template <typename Tasks>
void RunAll(const Tasks& tasks) {
  for (size_t i = 0; i < tasks.count(); ++i) tasks.Run(i);
}

// --- What the instruction sets implement ---

// Rows of queries that one block may have: the scores of a block are [tokens, 32] at most.
inline constexpr int kAttentionRows = 32;

// One head of one sequence, at most kAttentionRows of its queries. Pointers are at the head's first column; strides as
// above.
struct AttentionBlock {
  const float* q;  // the block's first query
  const float* k;  // the sequence's first token
  const float* v;
  size_t row_stride;
  int rows;    // queries, 1 to kAttentionRows
  int tokens;  // keys, all of the sequence
  int head_size;
  float scale;  // 1 / sqrt(head_size)
  float* out;   // the block's first row
  size_t out_stride;
  float* scratch;  // AttentionScratchFloats(tokens, head_size) floats, on a 64-byte boundary
};

constexpr size_t AttentionScratchFloats(int tokens, int head_size) {
  const size_t padded_head = (static_cast<size_t>(head_size) + 15) / 16 * 16;
  return (static_cast<size_t>(tokens) + padded_head) * kAttentionRows;
}

}  // namespace ks
