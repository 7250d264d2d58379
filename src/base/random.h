// Random bits for ids.
#pragma once

#include <cstdint>

namespace ks {

// 64 bits. Safe from any thread; each thread draws from a generator of its own, seeded by the kernel, so a call costs no
// system call. Unguessable enough for an id, not for a secret.
uint64_t RandomBits();

}  // namespace ks
