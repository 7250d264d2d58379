// Tested by huge_pages_test.cc.
#include "base/huge_pages.h"

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace ks {
namespace {

// mimalloc gives each thread segments of this size, aligned to it. glibc's arenas have twice as much, its heap of the main
// thread grows from anywhere.
constexpr uintptr_t kSegmentBytes = uintptr_t{32} << 20;

}  // namespace

void PreferHugePages() {
  const auto probe = std::make_unique<std::byte[]>(64);  // from the segment that the next ones will come from
  const uintptr_t segment = reinterpret_cast<uintptr_t>(probe.get()) / kSegmentBytes * kSegmentBytes;
  // Parts that are not mapped are skipped; what is said of the rest still holds.
  madvise(reinterpret_cast<void*>(segment), kSegmentBytes, MADV_HUGEPAGE);
}

}  // namespace ks
