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

// The segment from which the calling thread's next pieces will come.
uintptr_t SegmentInUse() {
  const auto probe = std::make_unique<std::byte[]>(64);
  return reinterpret_cast<uintptr_t>(probe.get()) / kSegmentBytes * kSegmentBytes;
}

// Parts that are not mapped are skipped; what is said of the rest still holds.
void Advise(uintptr_t segment, int advice) { madvise(reinterpret_cast<void*>(segment), kSegmentBytes, advice); }

}  // namespace

PreferHugePages::PreferHugePages() : segment_(SegmentInUse()) { Advise(segment_, MADV_HUGEPAGE); }

PreferHugePages::~PreferHugePages() { Advise(segment_, MADV_NOHUGEPAGE); }

}  // namespace ks
