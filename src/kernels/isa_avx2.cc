// The kernels for one instruction set. Only this file is compiled with its flags, and it includes nothing that defines
// inline functions for others to share (lanes_scalar.h says why).
#include "kernels/int8_linear_avx2.h"
#include "kernels/kernel_table.h"
#include "kernels/lanes_avx2.h"

namespace ks {

constinit const KernelTable kAvx2Kernels = MakeKernelTable<Avx2Lanes, Int8LinearAvx2<Avx2Lanes>>(IsaLevel::kAvx2);

}  // namespace ks
