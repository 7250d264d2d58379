// Instruction sets that tests walk whatever CPU they run on. Tests only.
#pragma once

#include "kernels/dispatch.h"

namespace ks {

// AVX-512, AVX-512 VNNI and AMX, written out over AVX2: they need that, and are as slow as one expects. Null where they were
// not compiled, which is everywhere but on x86-64.
inline constexpr int kEmulatedTables = 3;
extern const KernelTable* const kEmulatedOverAvx2[kEmulatedTables];

}  // namespace ks
