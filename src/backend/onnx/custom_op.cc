// Tested by onnx_backend_test.cc.
#include "backend/onnx/custom_op.h"

#include <string>

#include "base/status.h"
#include "base/status_macros.h"

namespace ks {

absl::StatusOr<size_t> OpContext::InputCount() const {
  size_t count = 0;
  KS_RETURN_IF_ERROR(ToStatus(Ort().KernelContext_GetInputCount(context_, &count), "input count"));
  return count;
}

template <typename T>
absl::StatusOr<Matrix<T>> OpContext::Input(size_t index, size_t rank) const {
  const OrtValue* value = nullptr;
  KS_RETURN_IF_ERROR(ToStatus(Ort().KernelContext_GetInput(context_, index, &value), "input"));
  if (value == nullptr) return Internal("input ", index, " is missing");
  KS_ASSIGN_OR_RETURN(const OrtHandle<OrtTensorTypeAndShapeInfo> info,
                      MakeOrt<OrtTensorTypeAndShapeInfo>("input shape", [&](OrtTensorTypeAndShapeInfo** out) {
                        return Ort().GetTensorTypeAndShape(value, out);
                      }));
  size_t found_rank = 0;
  KS_RETURN_IF_ERROR(ToStatus(Ort().GetDimensionsCount(info.get(), &found_rank), "input rank"));
  if (found_rank != rank) return Internal("input ", index, " has rank ", found_rank, ", expected ", rank);
  int64_t shape[2] = {0, 1};
  KS_RETURN_IF_ERROR(ToStatus(Ort().GetDimensions(info.get(), shape, rank), "input shape"));
  const void* data = nullptr;
  KS_RETURN_IF_ERROR(
      ToStatus(Ort().GetTensorMutableData(const_cast<OrtValue*>(value), const_cast<void**>(&data)), "input data"));
  return Matrix<T>{static_cast<const T*>(data), shape[0], shape[1]};
}

absl::StatusOr<Matrix<float>> OpContext::Floats(size_t index, size_t rank) const { return Input<float>(index, rank); }

absl::StatusOr<Matrix<int32_t>> OpContext::Ints(size_t index, size_t rank) const { return Input<int32_t>(index, rank); }

absl::StatusOr<float*> OpContext::Output(int64_t rows, int64_t columns) {
  const int64_t shape[] = {rows, columns};
  OrtValue* value = nullptr;
  KS_RETURN_IF_ERROR(ToStatus(Ort().KernelContext_GetOutput(context_, 0, shape, std::size(shape), &value), "output"));
  void* data = nullptr;
  KS_RETURN_IF_ERROR(ToStatus(Ort().GetTensorMutableData(value, &data), "output data"));
  return static_cast<float*>(data);
}

void OpContext::Run(size_t count, const std::function<void(size_t)>& body) {
  if (threads_ == 1 || count < 2) {
    for (size_t i = 0; i < count; ++i) body(i);
    return;
  }
  const auto call = [](void* data, size_t index) { (*static_cast<const std::function<void(size_t)>*>(data))(index); };
  absl::Status status = ToStatus(
      Ort().KernelContext_ParallelFor(context_, call, count, 0, const_cast<std::function<void(size_t)>*>(&body)),
      "parallel loop");
  if (status_.ok()) status_ = std::move(status);
}

absl::StatusOr<int64_t> IntAttribute(const OrtKernelInfo* info, const char* name) {
  int64_t value = 0;
  KS_RETURN_IF_ERROR(ToStatus(Ort().KernelInfoGetAttribute_int64(info, name, &value), name));
  return value;
}

OrtStatus* FromStatus(const absl::Status& status) {
  if (status.ok()) return nullptr;
  return Ort().CreateStatus(ORT_FAIL, std::string(status.message()).c_str());
}

}  // namespace ks
