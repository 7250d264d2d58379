#pragma once

namespace ks {

// Gives back the pages of code of the program or library that `function` belongs to: what runs again is mapped again from
// the page cache, some microseconds for each 64 KB, and what only a start needed no longer counts as this process' memory.
void DropCodePages(const void* function);

}  // namespace ks
