// What one of our operators sees of the runtime: its node while the session opens, its tensors and threads while it
// computes. Private to backend/onnx.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/onnx/ort.h"
#include "base/parallel_for.h"
#include "base/status.h"
#include "base/team.h"
#include "kernels/dispatch.h"

namespace ks {

// What all operators of a session share.
struct OperatorSettings {
  // The threads of our operators. A team of more than one takes one Run of the session at a time. Must outlive the
  // session.
  Team* team = nullptr;
  // Where the team is of one: threads of the session's pool, which operators use instead.
  int pool_threads = 1;
  IsaLevel isa = IsaLevel::kScalar;
};

// Row-major [rows, columns]; a vector has one column. A view into the runtime's memory.
template <typename T>
struct Matrix {
  const T* data = nullptr;
  int64_t rows = 0;
  int64_t columns = 1;

  const T* row(int64_t index) const { return data + index * columns; }
};

// A node while its session opens. Weights are taken here, and their shapes checked once, so that no computation can
// read outside them. Errors are kInternal; they name the node, what was found and what was expected.
class NodeInfo {
 public:
  explicit NodeInfo(const OrtKernelInfo* info) : info_(info) {}

  // The node's attributes; an int must lie in [least, most].
  absl::StatusOr<int> Int(const char* attribute, int least, int most) const;
  absl::StatusOr<float> Float(const char* attribute) const;
  absl::StatusOr<std::vector<int64_t>> IntList(const char* attribute) const;

  // How many inputs the node lists; those after are left out.
  absl::StatusOr<size_t> InputCount() const;

  // The initializer at input `index`: its type is that of the operator's kInputs, its shape the given one, where
  // kAnySize takes any. The view lives as long as the session. `what` is its name in messages.
  static constexpr int64_t kAnySize = -1;
  absl::StatusOr<Matrix<float>> Floats(size_t index, const char* what, int64_t rows, int64_t columns) const;
  absl::StatusOr<Matrix<uint16_t>> Halves(size_t index, const char* what, int64_t rows, int64_t columns) const;
  absl::StatusOr<Matrix<float>> FloatVector(size_t index, const char* what) const;  // of any size
  absl::StatusOr<const float*> Floats(size_t index, const char* what, int64_t size) const;
  absl::StatusOr<const int32_t*> Ints(size_t index, const char* what, int64_t size) const;
  absl::StatusOr<const uint8_t*> Bytes(size_t index, const char* what, int64_t size) const;
  absl::StatusOr<Matrix<uint8_t>> ByteVector(size_t index, const char* what) const;  // of any size

  template <typename... Pieces>
  absl::Status Error(const Pieces&... pieces) const {
    return Internal("node ", name(), ": ", pieces...);
  }

 private:
  std::string name() const;
  template <typename T>
  absl::StatusOr<Matrix<T>> Constant(size_t index, const char* what, size_t rank, int64_t rows, int64_t columns) const;

  const OrtKernelInfo* info_;
};

// One computation of an operator: its tensors and the session's threads.
class OpContext final : public ParallelFor {
 public:
  OpContext(OrtKernelContext* context, const OperatorSettings& settings) : context_(context), settings_(settings) {}

  const KernelTable& kernels() const { return Kernels(settings_.isa); }
  Team& team() const { return *settings_.team; }

  // Errors: kInternal where the tensor's rank is not `rank` (1 or 2), or its sizes are not those given
  // (NodeInfo::kAnySize takes any).
  absl::StatusOr<Matrix<float>> Floats(size_t index, int64_t rows, int64_t columns) const;
  absl::StatusOr<Matrix<int32_t>> Ints(size_t index, int64_t size) const;

  // The offsets [B + 1] at input `index`, which CheckBatch knows to ascend from 0. Errors: kInternal where they do not
  // end at `rows`.
  absl::StatusOr<Matrix<int32_t>> Offsets(size_t index, int64_t rows) const;

  // Memory for the output [rows, columns].
  absl::StatusOr<float*> Output(int64_t rows, int64_t columns);

  // ParallelFor over the team or the session's pool. `body` may throw std::bad_alloc and nothing else, which then comes
  // out here. What the runtime itself reports is in status() after.
  void Run(size_t count, const std::function<void(size_t)>& body) override;
  int concurrency() const override { return std::max(settings_.team->size(), settings_.pool_threads); }
  absl::Status status() const { return status_; }

 private:
  template <typename T>
  absl::StatusOr<Matrix<T>> Input(size_t index, size_t rank, int64_t rows, int64_t columns) const;

  OrtKernelContext* context_;
  OperatorSettings settings_;
  absl::Status status_;
};

}  // namespace ks
