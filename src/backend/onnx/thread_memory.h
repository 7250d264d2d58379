// Scratch memory of a thread, laid out anew by each who uses it. Private to backend/onnx.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace ks {

// Hands out arrays on cache lines; without memory it only counts.
class Carver {
 public:
  explicit Carver(std::byte* memory) : memory_(memory) {}

  template <typename T>
  T* Take(size_t count) {
    T* const taken = memory_ == nullptr ? nullptr : reinterpret_cast<T*>(memory_ + used_);
    used_ += (count * sizeof(T) + 63) / 64 * 64;
    return taken;
  }
  size_t used() const { return used_; }

 private:
  std::byte* memory_;
  size_t used_ = 0;
};

// Grows and stays: one for each calling thread, whose next call may move it. May throw std::bad_alloc, and is empty
// then.
inline std::byte* ThreadMemory(size_t bytes) {
  struct Free {
    void operator()(std::byte* memory) const { ::operator delete(memory, std::align_val_t(64)); }
  };
  thread_local std::unique_ptr<std::byte, Free> memory;
  thread_local size_t size = 0;
  if (size < bytes) {
    size = 0;
    memory.reset();
    memory.reset(static_cast<std::byte*>(::operator new(bytes, std::align_val_t(64))));
    size = bytes;
  }
  return memory.get();
}

}  // namespace ks
