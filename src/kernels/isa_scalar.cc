// The kernels for one instruction set. Only this file is compiled with its flags, and it includes nothing that defines
// inline functions for others to share (lanes_scalar.h says why).
#include "kernels/amx_tiles_emulated.h"
#include "kernels/kernel_table.h"
#include "kernels/lanes_scalar.h"

namespace ks {

constinit const KernelTable kScalarKernels = MakeKernelTable<ScalarLanes>(IsaLevel::kScalar);
constinit const KernelTable kEmulatedAmxKernels =
    WithAmxLinear<ScalarLanes, EmulatedAmxTiles>(MakeKernelTable<ScalarLanes>(IsaLevel::kAvx512Amx));

}  // namespace ks
