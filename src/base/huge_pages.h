// Memory in pages of 2 MB.
#pragma once

namespace ks {

// Asks the kernel to back what the calling thread allocates from now on with huge pages: for a thread that is about to
// allocate many megabytes in small pieces, which in pages of 4 KB costs a fault for each of them. A hint and no more: where
// the allocator takes the thread's memory from elsewhere, or the system has no huge pages, nothing changes. What is
// allocated is rounded up to 2 MB in all.
void PreferHugePages();

}  // namespace ks
