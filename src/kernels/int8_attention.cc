// Tested by int8_attention_test.cc.
#include "kernels/int8_attention.h"

#include "kernels/dispatch.h"
#include "kernels/thread_scratch.h"

namespace ks {

Int8AttentionTasks::Int8AttentionTasks(const KernelTable& kernels, const AttentionArgs& args)
    : kernels_(kernels), args_(args), keys_(Quantize(args.k)), values_(Quantize(args.v)) {}

Int8AttentionTasks::Heads Int8AttentionTasks::Quantize(const float* x) const {
  const size_t tokens = static_cast<size_t>(args_.offsets[args_.sequences]);
  const size_t heads = static_cast<size_t>(args_.heads);
  const size_t head_bytes = tokens * HeadRowBytes(args_.head_size);
  Heads made = {std::vector<uint8_t>(heads * head_bytes), std::vector<float>(heads * tokens)};
  kernels_.quantize_heads({.x = x,
                           .x_stride = args_.row_stride,
                           .q = made.q.data(),
                           .head_bytes = head_bytes,
                           .scales = made.scales.data(),
                           .head_scales = tokens,
                           .rows = static_cast<int>(tokens),
                           .heads = args_.heads,
                           .head_size = args_.head_size});
  return made;
}

void Int8AttentionTasks::Run(size_t i) const {
  const size_t sequence = i / args_.heads;
  const size_t head = i % args_.heads;
  const size_t begin = static_cast<size_t>(args_.offsets[sequence]);
  const int tokens = args_.offsets[sequence + 1] - args_.offsets[sequence];
  if (tokens == 0) return;
  const size_t all = static_cast<size_t>(args_.offsets[args_.sequences]);
  const size_t column = head * args_.head_size;
  const auto rows = [&](const Heads& of) {
    return HeadBytes{of.q.data() + (head * all + begin) * HeadRowBytes(args_.head_size),
                     of.scales.data() + head * all + begin};
  };
  const size_t out_row = args_.first_only ? sequence : begin;
  kernels_.int8_attention({.q = args_.q + begin * args_.row_stride + column,
                           .q_stride = args_.row_stride,
                           .keys = rows(keys_),
                           .values = rows(values_),
                           .rows = args_.first_only ? 1 : tokens,
                           .tokens = tokens,
                           .head_size = args_.head_size,
                           .out = args_.out + out_row * args_.out_stride + column,
                           .out_stride = args_.out_stride,
                           .scratch = ThreadScratch(Int8AttentionScratch(tokens, args_.head_size))});
}

}  // namespace ks
