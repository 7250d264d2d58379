// Code alone: pages that the loader has written to, those of relocated constants as well, would be lost.
// Tested by code_pages_test.cc.
#include "base/code_pages.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace ks {
namespace {

int DropFrom(dl_phdr_info* info, size_t, void* function) {
  const auto address = reinterpret_cast<uintptr_t>(function);
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    const uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
    const uintptr_t end = begin + segment.p_filesz;
    const bool is_code = segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0 && (segment.p_flags & PF_W) == 0;
    if (!is_code || address < begin || address >= end) continue;
    const uintptr_t first = (begin + page - 1) / page * page;
    const uintptr_t last = end / page * page;
    if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
    return 1;
  }
  return 0;
}

}  // namespace

void DropCodePages(const void* function) { dl_iterate_phdr(DropFrom, const_cast<void*>(function)); }

}  // namespace ks
