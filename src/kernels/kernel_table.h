// Makes the table of one instruction set. Included by isa_*.cc alone, each compiled with its own flags.
#pragma once

#include "kernels/amx_linear_kernel.h"
#include "kernels/attention_kernel.h"
#include "kernels/dispatch.h"
#include "kernels/int8_attention_kernel.h"
#include "kernels/int8_heads_kernel.h"
#include "kernels/int8_linear_kernel.h"
#include "kernels/int8_rows_kernel.h"
#include "kernels/linear_kernel.h"
#include "kernels/rows_kernel.h"

namespace ks {

template <typename L, typename Int8Linear = Int8LinearKernel<L>>
constexpr KernelTable MakeKernelTable(IsaLevel isa) {
  return {
      .isa = isa,
      .attention_block = AttentionKernel<L>::Run,
      .linear = LinearKernel<L>::Run,
      .layer_norm = RowsKernel<L>::LayerNorm,
      .softmax = RowsKernel<L>::Softmax,
      .embed = RowsKernel<L>::template Embed<float>,
      .embed_half = RowsKernel<L>::template Embed<unsigned short>,
      .quantize_rows = Int8RowsKernel<L>::QuantizeRows,
      .int8_linear = Int8Linear::Run,
      .quantize_heads = Int8HeadsKernel<L>::Run,
      .int8_attention = Int8AttentionKernel<L>::Run,
      .exp = RowsKernel<L>::template Pointwise<LanesMath<L>::Exp>,
      .tanh = RowsKernel<L>::template Pointwise<LanesMath<L>::Tanh>,
      .gelu = RowsKernel<L>::template Pointwise<LanesMath<L>::Gelu>,
      .coarse_gelu = RowsKernel<L>::template Pointwise<LanesMath<L>::CoarseGelu>,
      .relu = RowsKernel<L>::template Pointwise<LanesMath<L>::Relu>,
  };
}

// The same table with the int8 linear over tiles.
template <typename L, template <typename> typename Tiles>
constexpr KernelTable WithAmxLinear(KernelTable table) {
  table.int8_linear = AmxLinearKernel<L, Tiles>::Run;
  return table;
}

// Constant-initialised: no code runs before main, whatever the CPU.
extern const KernelTable kScalarKernels;
extern const KernelTable kAvx2Kernels;
extern const KernelTable kAvx512Kernels;
extern const KernelTable kAvx512VnniKernels;
extern const KernelTable kAmxKernels;
extern const KernelTable kEmulatedAmxKernels;

}  // namespace ks
