// The one table through which everything else calls the kernels: one column for each instruction set.
//
// Every kernel gives the same bits on every instruction set. That holds because each is written once, over 16 virtual
// lanes (lanes_*.h), and compiled for each set: the same IEEE operations in the same order, fused multiply-add where
// the source says so and nowhere else, division and square root instead of estimates, one tree for sums across lanes,
// no libm. NaNs stay NaNs, their payload may differ. Callers leave rounding at nearest-even and denormals on (FTZ, DAZ
// off).
//
// Each output row of each kernel depends on its own input rows alone, not on how many rows a call has or where the row
// stands: a text has the same bits alone and in any batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/attention.h"
#include "kernels/int8_attention.h"
#include "kernels/int8_linear.h"
#include "kernels/linear.h"
#include "kernels/rows.h"

namespace ks {

// In ascending order of preference.
enum class IsaLevel : uint8_t {
  kScalar,  // the reference; any CPU
  kAvx2,    // AVX2, FMA and F16C
  kAvx512,  // AVX-512 F, BW, DQ, VL
  kAvx512Vnni,
  kAvx512Amx,  // AMX-INT8 tiles beside those
};

// Weights may lie at any address, where nothing else is said: files promise no alignment.
//
// Kernels have no state: any thread may call any of them at any time on memory that no other thread writes.
struct KernelTable {
  IsaLevel isa;

  void (*attention_block)(const AttentionBlock& block);   // attention.h; callers use AttentionTasks
  void (*linear)(const LinearArgs& args);                 // linear.h
  void (*layer_norm)(const LayerNormArgs& args);          // rows.h
  void (*softmax)(const SoftmaxArgs& args);               // rows.h
  void (*embed)(const EmbedArgs& args);                   // rows.h
  void (*embed_half)(const EmbedHalfArgs& args);          // rows.h
  void (*quantize_rows)(const QuantizeRowsArgs& args);    // int8_linear.h
  void (*int8_linear)(const Int8LinearArgs& args);        // int8_linear.h
  void (*quantize_heads)(const QuantizeHeadsArgs& args);  // int8_attention.h
  void (*int8_attention)(const Int8AttentionArgs& args);  // int8_attention.h

  // y[i] = f(x[i]) for i in [0, n); x and y may be the same array. Errors against the exact value, over all finite x:
  //   exp   relative error <= 1e-7 where the result is normal; 0 below -87.33, inf above 88.72
  //   tanh  relative error <= 1.5e-7
  //   gelu  x * Phi(x), the erf form: absolute error <= 4.5e-6, beyond |x| = 90 5e-8 * |x|
  //   coarse_gelu  the same for numbers that become bytes: <= 1.7e-4, beyond |x| = 3400 5e-8 * |x|
  //   relu  exact; NaN stays NaN
  void (*exp)(const float* x, float* y, size_t n);
  void (*tanh)(const float* x, float* y, size_t n);
  void (*gelu)(const float* x, float* y, size_t n);
  void (*coarse_gelu)(const float* x, float* y, size_t n);
  void (*relu)(const float* x, float* y, size_t n);
};

// True where this CPU has the set and the operating system saves its registers. Linux lends the tiles of kAvx512Amx to
// processes that ask: the first call with that level asks, once and for all threads, and answers false where it is
// refused. Ask before threads start: a thread whose signal stack is too small for tiles makes Linux refuse.
bool IsSupported(IsaLevel isa);

// All supported levels, ascending; kScalar is always the first.
std::vector<IsaLevel> SupportedIsas();

// The last supported level. Found once.
IsaLevel BestIsa();

// The kernels of one level. Requires IsSupported(isa): calling another level's kernels ends with SIGILL.
const KernelTable& Kernels(IsaLevel isa);

// Kernels(BestIsa()).
const KernelTable& BestKernels();

// The table of kAvx512Amx with the tile operations emulated in plain C++, for tests: any CPU has it, and its bits are
// those of the others.
const KernelTable& EmulatedAmxKernels();

// What became of a set when its kernels were called on this machine.
enum class IsaState : uint8_t {
  kExecuted,  // the CPU has run them, and they gave the scalar reference's bits
  kEmulated,  // kAvx512Amx without tiles: the emulation gave the reference's bits
  kAbsent,    // the CPU lacks the set
  kWrong,     // the bits were others than the reference's: a fault
};

// Runs one small int8 linear, attention in floats and bytes and GELU of each level, in ascending order of preference; below a millisecond.
std::vector<std::pair<IsaLevel, IsaState>> TryIsas();

// "executed", "emulated", "absent", "wrong".
std::string_view IsaStateName(IsaState state);

// "scalar", "avx2", "avx512", "avx512vnni", "amx", and back; nothing for another name.
std::string_view IsaName(IsaLevel isa);
std::optional<IsaLevel> IsaFromName(std::string_view name);

}  // namespace ks
