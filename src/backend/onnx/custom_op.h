// What an operator of ours needs around its arithmetic: the C structs and callbacks of ONNX Runtime. Private to
// backend/onnx.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <utility>

#include "absl/status/statusor.h"
#include "backend/onnx/ort.h"
#include "base/parallel_for.h"

namespace ks {

// Row-major [rows, columns]; a vector has one column. A view into the runtime's memory, valid during the computation.
template <typename T>
struct Matrix {
  const T* data = nullptr;
  int64_t rows = 0;
  int64_t columns = 1;

  const T* row(int64_t index) const { return data + index * columns; }
};

// One computation of an operator: its tensors and the session's threads.
class OpContext final : public ParallelFor {
 public:
  OpContext(OrtKernelContext* context, int threads) : context_(context), threads_(threads) {}

  absl::StatusOr<size_t> InputCount() const;

  // Errors: kInternal where the tensor's rank is not `rank` (1 or 2).
  absl::StatusOr<Matrix<float>> Floats(size_t index, size_t rank) const;
  absl::StatusOr<Matrix<int32_t>> Ints(size_t index, size_t rank) const;

  // Memory for the output [rows, columns].
  absl::StatusOr<float*> Output(int64_t rows, int64_t columns);

  // ParallelFor over the session's pool. `body` must not throw. What the runtime itself reports is in status() after.
  void Run(size_t count, const std::function<void(size_t)>& body) override;
  int concurrency() const override { return threads_; }
  absl::Status status() const { return status_; }

 private:
  template <typename T>
  absl::StatusOr<Matrix<T>> Input(size_t index, size_t rank) const;

  OrtKernelContext* context_;
  int threads_;
  absl::Status status_;
};

// The int attribute `name` of the node. Errors: kInternal if it is not there.
absl::StatusOr<int64_t> IntAttribute(const OrtKernelInfo* info, const char* name);

// An error on its way through the runtime, which keeps only the text; null for OK.
OrtStatus* FromStatus(const absl::Status& status);

// Runs `body` (returns absl::Status) where an exception would have to cross the C API.
template <typename Body>
OrtStatus* WithoutExceptions(Body&& body) {
  try {
    return FromStatus(std::forward<Body>(body)());
  } catch (const std::exception& error) {
    // std::bad_alloc says its name, which ToStatus recognises.
    return FromStatus(absl::InternalError(error.what()));
  }
}

// Describes the class Kernel to the runtime. Kernel is one node's operator:
//   static constexpr const char* kName
//   static constexpr ONNXTensorElementDataType kInputs[]   types of all inputs
//   static constexpr size_t kRequiredInputs                the others are optional
//   static absl::StatusOr<Kernel> Create(const OrtKernelInfo* info)
//   absl::Status Compute(OpContext& context) const         called by several threads at a time where Runs overlap
// The one output is float32. The object must outlive the sessions that know it.
template <typename Kernel>
class CustomOp final : public OrtCustomOp {
 public:
  // `threads` is the size of the session's pool.
  explicit CustomOp(int threads) : OrtCustomOp{}, threads_(threads) {
    version = ORT_API_VERSION;
    GetName = [](const OrtCustomOp*) { return Kernel::kName; };
    GetExecutionProviderType = [](const OrtCustomOp*) -> const char* { return nullptr; };
    GetInputTypeCount = [](const OrtCustomOp*) { return std::size(Kernel::kInputs); };
    GetInputType = [](const OrtCustomOp*, size_t index) { return Kernel::kInputs[index]; };
    GetInputCharacteristic = [](const OrtCustomOp*, size_t index) {
      return index < Kernel::kRequiredInputs ? INPUT_OUTPUT_REQUIRED : INPUT_OUTPUT_OPTIONAL;
    };
    GetInputMemoryType = [](const OrtCustomOp*, size_t) { return OrtMemTypeDefault; };
    GetOutputTypeCount = [](const OrtCustomOp*) -> size_t { return 1; };
    GetOutputType = [](const OrtCustomOp*, size_t) { return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT; };
    GetOutputCharacteristic = [](const OrtCustomOp*, size_t) { return INPUT_OUTPUT_REQUIRED; };
    CreateKernelV2 = [](const OrtCustomOp* op, const OrtApi*, const OrtKernelInfo* info, void** kernel) {
      return WithoutExceptions([&]() -> absl::Status {
        absl::StatusOr<Kernel> created = Kernel::Create(info);
        if (!created.ok()) return created.status();
        *kernel = new Node{*std::move(created), static_cast<const CustomOp*>(op)->threads_};
        return absl::OkStatus();
      });
    };
    KernelComputeV2 = [](void* kernel, OrtKernelContext* context) {
      return WithoutExceptions([&] {
        const Node& node = *static_cast<const Node*>(kernel);
        OpContext op_context(context, node.threads);
        absl::Status status = node.kernel.Compute(op_context);
        return status.ok() ? op_context.status() : status;
      });
    };
    KernelDestroy = [](void* kernel) { delete static_cast<Node*>(kernel); };
  }
  CustomOp(const CustomOp&) = delete;
  CustomOp& operator=(const CustomOp&) = delete;

 private:
  struct Node {
    Kernel kernel;
    int threads;
  };

  const int threads_;
};

}  // namespace ks
