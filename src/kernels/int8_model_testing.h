// The int8 linears of a whole encoder with random weights, for the benchmark of their speed.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "kernels/dispatch.h"
#include "kernels/kernels_testing.h"

namespace ks {

// Zeroed memory of its own, in pages of 4 KB as a file's mapping has them, or in large ones where Linux gives them.
class Pages {
 public:
  Pages(size_t bytes, bool large) : bytes_((bytes + kLarge - 1) / kLarge * kLarge + kLarge) {
    memory_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ != MAP_FAILED) madvise(memory_, bytes_, large ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  }
  ~Pages() {
    if (memory_ != MAP_FAILED) munmap(memory_, bytes_);
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  // On a 2 MB boundary.
  int8_t* data() const {
    return reinterpret_cast<int8_t*>((reinterpret_cast<uintptr_t>(memory_) + kLarge - 1) / kLarge * kLarge);
  }

 private:
  static constexpr size_t kLarge = size_t{2} << 20;
  void* memory_;
  size_t bytes_;
};

// Memory on cache lines, as a run's scratch memory is (backend/onnx/thread_memory.h).
template <typename T>
struct OnCacheLines {
  using value_type = T;
  OnCacheLines() = default;
  template <typename U>
  explicit OnCacheLines(const OnCacheLines<U>&) {}
  T* allocate(size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t(64))); }
  void deallocate(T* memory, size_t) { ::operator delete(memory, std::align_val_t(64)); }
  bool operator==(const OnCacheLines&) const { return true; }
};
template <typename T>
using Lines = std::vector<T, OnCacheLines<T>>;

// One of the four dense layers of an encoder layer.
struct Int8Shape {
  const char* name;
  int inputs, outputs;
};

class Int8Model {
 public:
  static constexpr int kLayers = 6;
  static constexpr int kMostRows = 128;
  static constexpr int kShapes = 4;
  static constexpr int kExpanding = 2;  // the shape that GELU follows

  Int8Model(int width, bool large_pages)
      : shapes_{{"qkv", width, 3 * width}, {"out", width, width}, {"up", width, 4 * width}, {"down", 4 * width, width}},
        weights_(static_cast<size_t>(kLayers) * 12 * width * width, large_pages) {
    Random random(5);
    const int widest = 4 * width;
    const auto floats = [&](size_t count) {
      const std::vector<float> made = random.Floats(count);
      return Lines<float>(made.begin(), made.end());
    };
    x_ = floats(static_cast<size_t>(kMostRows) * widest);
    multipliers_ = floats(static_cast<size_t>(widest));
    scales_ = random.Floats(static_cast<size_t>(widest), 0.01f);
    bias_ = random.Floats(static_cast<size_t>(widest));
    out_.resize(kMostRows * SpreadStride(widest));
    int8_t* packed = weights_.data();
    std::vector<int8_t> w(static_cast<size_t>(widest) * width);
    for (int layer = 0; layer < kLayers; ++layer) {
      for (const Int8Shape& shape : shapes_) {
        const size_t bytes = static_cast<size_t>(shape.inputs) * shape.outputs;
        for (size_t i = 0; i < bytes; ++i) w[i] = static_cast<int8_t>(random.Below(255) - 127);
        Matrix& matrix = matrices_.emplace_back();
        matrix.column_sums.resize(static_cast<size_t>(shape.outputs));
        PackInt8Weights(w.data(), shape.outputs, shape.inputs, packed, matrix.column_sums.data());
        matrix.packed = packed;
        packed += bytes;
      }
    }
    for (int i : {0, kShapes - 1}) {
      Rows& rows = i == 0 ? narrow_ : wide_;
      const size_t inputs = static_cast<size_t>(shapes_[i].inputs);
      rows.q.resize(kMostRows * inputs);
      rows.scales.resize(kMostRows);
      rows.zero_points.resize(kMostRows);
      Quantize(Kernels(IsaLevel::kScalar), i, kMostRows);
    }
  }

  const Int8Shape& shape(int i) const { return shapes_[i]; }

  // Of all matrices, end to end.
  std::span<const int8_t> packed() const {
    size_t bytes = 0;
    for (const Int8Shape& shape : shapes_) bytes += static_cast<size_t>(kLayers) * shape.inputs * shape.outputs;
    return {weights_.data(), bytes};
  }

  // The rows that shape `i` reads.
  void Quantize(const KernelTable& kernels, int i, int rows) {
    const size_t inputs = static_cast<size_t>(shapes_[i].inputs);
    Rows& to = i == kShapes - 1 ? wide_ : narrow_;
    kernels.quantize_rows({.x = x_.data(),
                           .x_stride = inputs,
                           .multipliers = multipliers_.data(),
                           .q = to.q.data(),
                           .q_stride = inputs,
                           .scales = to.scales.data(),
                           .zero_points = to.zero_points.data(),
                           .rows = rows,
                           .inputs = shapes_[i].inputs});
  }

  Int8LinearArgs Args(int layer, int i, int rows, Epilogue epilogue) {
    const Matrix& matrix = matrices_[static_cast<size_t>(layer) * kShapes + i];
    const Rows& from = i == kShapes - 1 ? wide_ : narrow_;
    return {.q = from.q.data(),
            .q_stride = static_cast<size_t>(shapes_[i].inputs),
            .scales = from.scales.data(),
            .zero_points = from.zero_points.data(),
            .weights = {.packed = matrix.packed,
                        .scales = scales_.data(),
                        .column_sums = matrix.column_sums.data(),
                        .bias = bias_.data(),
                        .inputs = shapes_[i].inputs,
                        .outputs = shapes_[i].outputs},
            .epilogue = epilogue,
            .out = out_.data(),
            .out_stride = OutStride(i),
            .rows = rows};
  }

  // Whether the kernels give the scalar reference's bits: rows, and one matrix of each shape. The reference is slow, so
  // no more than 17 rows: two blocks of rows and a rest on every set.
  bool IsRight(const KernelTable& kernels, int rows, Epilogue epilogue) {
    rows = rows < 17 ? rows : 17;
    for (int i = 0; i < kShapes; ++i) {
      const auto compute = [&](const KernelTable& table) {
        Quantize(table, i, rows);
        table.int8_linear(Args(kLayers - 1, i, rows, epilogue));
        return std::vector<float>(out_.begin(),
                                  out_.begin() + static_cast<ptrdiff_t>(static_cast<size_t>(rows) * OutStride(i)));
      };
      const std::vector<float> expected = compute(Kernels(IsaLevel::kScalar));
      if (DifferentBits(compute(kernels), expected) != 0) return false;
    }
    return true;
  }

 private:
  // As in a layer (backend/onnx/encoder_layer.cc).
  size_t OutStride(int i) const {
    const int outputs = shapes_[i].outputs;
    return outputs > shapes_[1].outputs ? SpreadStride(outputs) : static_cast<size_t>(outputs);
  }

  struct Matrix {
    const int8_t* packed;
    std::vector<int32_t> column_sums;
  };
  struct Rows {
    Lines<uint8_t> q;
    std::vector<float> scales;
    std::vector<int32_t> zero_points;
  };

  Int8Shape shapes_[kShapes];
  Pages weights_;
  std::vector<Matrix> matrices_;
  Rows narrow_, wide_;
  std::vector<float> scales_, bias_;
  Lines<float> x_, multipliers_, out_;
};

}  // namespace ks
