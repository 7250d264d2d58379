// Memory in pages of 2 MB.
#pragma once

#include <cstdint>

namespace ks {

// While it lives, asks the kernel to back what the calling thread allocates with huge pages: for a thread that is about to
// allocate many megabytes in small pieces, which in pages of 4 KB costs a fault for each of them. A hint and no more: where
// the allocator takes the thread's memory from elsewhere or makes it usable in smaller steps, or the system has no huge
// pages, nothing changes. What is allocated is rounded up to 2 MB in all.
//
// Ends on the thread that began it, and the hint with it: the kernel would go on to gather pages of 4 KB into huge ones, and
// other threads, which take over the rest of the memory piece by piece, would pay 2 MB for each.
class PreferHugePages {
 public:
  PreferHugePages();
  ~PreferHugePages();
  PreferHugePages(const PreferHugePages&) = delete;
  PreferHugePages& operator=(const PreferHugePages&) = delete;

 private:
  const uintptr_t segment_;
};

}  // namespace ks
