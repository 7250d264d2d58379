#pragma once

namespace ks {

// For a thread that works for moments and is waited for: from now on it may interrupt threads that compute, instead of
// waiting until one's time slice (some 3 ms) is over. Its share of the processor stays the same. Where the system cannot
// (Linux before 6.12), nothing changes.
void RunInShortSlices();

}  // namespace ks
