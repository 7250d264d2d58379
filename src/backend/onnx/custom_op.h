// The C structs and callbacks of ONNX Runtime around an operator of ours. Private to backend/onnx.
#pragma once

#include <exception>
#include <iterator>
#include <utility>

#include "absl/status/statusor.h"
#include "backend/onnx/op_context.h"
#include "backend/onnx/ort.h"

namespace ks {

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
//   static absl::StatusOr<Kernel> Create(const NodeInfo& node)
//   absl::Status Compute(OpContext& context) const         called by several threads at a time where Runs overlap
// The one output is float32. The object must outlive the sessions that know it.
template <typename Kernel>
class CustomOp final : public OrtCustomOp {
 public:
  explicit CustomOp(const OperatorSettings& settings) : OrtCustomOp{}, settings_(settings) {
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
        absl::StatusOr<Kernel> created = Kernel::Create(NodeInfo(info));
        if (!created.ok()) return created.status();
        *kernel = new Node{*std::move(created), static_cast<const CustomOp*>(op)->settings_};
        return absl::OkStatus();
      });
    };
    KernelComputeV2 = [](void* kernel, OrtKernelContext* context) {
      return WithoutExceptions([&] {
        const Node& node = *static_cast<const Node*>(kernel);
        OpContext op_context(context, node.settings);
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
    OperatorSettings settings;
  };

  const OperatorSettings settings_;
};

}  // namespace ks
