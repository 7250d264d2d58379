// Scratch floats of a thread, on a 64-byte boundary. Private to kernels.
#pragma once

#include <cstddef>
#include <vector>

namespace ks {

// Grows and stays; the thread's next call may move it.
inline float* ThreadScratch(size_t floats) {
  struct alignas(64) CacheLine {
    float values[16];
  };
  thread_local std::vector<CacheLine> lines;
  const size_t needed = (floats + 15) / 16;
  if (lines.size() < needed) lines.resize(needed);
  return lines.data()->values;
}

}  // namespace ks
