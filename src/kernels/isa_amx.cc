// The kernels for one instruction set. Only this file is compiled with its flags, and it includes nothing that defines
// inline functions for others to share (lanes_scalar.h says why).
#include "kernels/amx_tiles.h"
#include "kernels/kernel_table.h"
#include "kernels/lanes_avx512vnni.h"

namespace ks {

constinit const KernelTable kAmxKernels =
    WithAmxLinear<Avx512AmxLanes, AmxTiles>(MakeKernelTable<Avx512AmxLanes>(IsaLevel::kAvx512Amx));

}  // namespace ks
