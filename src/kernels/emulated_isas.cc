// The kernels of the AVX-512 levels over avx512_emulated.h, and of tiles over both emulations; tests only. Only this file of
// the tests is compiled with AVX2's flags, and it includes nothing that defines inline functions for others to share
// (lanes_scalar.h says why).
#include "kernels/emulated_isas.h"

#include "kernels/amx_tiles_emulated.h"
#include "kernels/kernel_table.h"

#if defined(__x86_64__)
#include "kernels/avx512_emulated.h"
// After it.
#include "kernels/lanes_avx512vnni.h"
#endif

namespace ks {

#if defined(__x86_64__)
namespace {

struct EmulatedAvx512Lanes : Avx512WordLanesBase<EmulatedAvx512Lanes> {};

struct EmulatedVnniLanes : Avx512VnniLanesBase<EmulatedVnniLanes> {
  static I DotDeep(I sum, I u, I s) { return Dot(sum, u, s); }  // the set's own is in assembly
};

constexpr KernelTable kAvx512 = MakeKernelTable<EmulatedAvx512Lanes>(IsaLevel::kAvx512);
constexpr KernelTable kVnni = MakeKernelTable<EmulatedVnniLanes>(IsaLevel::kAvx512Vnni);
constexpr KernelTable kAmx =
    WithAmxLinear<EmulatedVnniLanes, EmulatedAmxTiles>(MakeKernelTable<EmulatedVnniLanes>(IsaLevel::kAvx512Amx));

}  // namespace

const KernelTable* const kEmulatedOverAvx2[kEmulatedTables] = {&kAvx512, &kVnni, &kAmx};
#else
const KernelTable* const kEmulatedOverAvx2[kEmulatedTables] = {};
#endif

}  // namespace ks
