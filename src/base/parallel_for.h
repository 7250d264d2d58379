// Parallel work inside an operator, over whoever owns the threads: ONNX Runtime's pool in the server, plain threads in
// tests, nobody at all where a call is serial.
#pragma once

#include <cstddef>
#include <functional>

namespace ks {

class ParallelFor {
 public:
  virtual ~ParallelFor() = default;

  // Calls body(i) once for each i in [0, count), on any of the pool's threads, in any order, and returns when all are
  // done. The calling thread takes part. `body` must not call Run of the same object.
  virtual void Run(size_t count, const std::function<void(size_t)>& body) = 0;

  // How many calls may run at the same time, the caller's included; at least 1.
  virtual int concurrency() const = 0;
};

// Everything on the calling thread, in order.
class SerialFor final : public ParallelFor {
 public:
  void Run(size_t count, const std::function<void(size_t)>& body) override {
    for (size_t i = 0; i < count; ++i) body(i);
  }
  int concurrency() const override { return 1; }
};

}  // namespace ks
