// Tested by operators_test.cc.
#include "backend/onnx/op_context.h"

#include <atomic>
#include <new>
#include <span>

#include "base/status_macros.h"

namespace ks {
namespace {

std::string Shape(std::span<const int64_t> sizes) {
  std::string text = "[";
  for (const int64_t size : sizes) {
    if (text.size() > 1) text += ", ";
    text += size == NodeInfo::kAnySize ? "any" : Cat(size);
  }
  return text + "]";
}

// The tensor as [rows, columns], or [rows] where `rank` is 1.
template <typename T>
absl::StatusOr<Matrix<T>> View(const OrtValue* value, size_t rank, int64_t rows, int64_t columns) {
  KS_ASSIGN_OR_RETURN(const OrtHandle<OrtTensorTypeAndShapeInfo> info,
                      MakeOrt<OrtTensorTypeAndShapeInfo>("shape", [&](OrtTensorTypeAndShapeInfo** out) {
                        return Ort().GetTensorTypeAndShape(value, out);
                      }));
  size_t found_rank = 0;
  KS_RETURN_IF_ERROR(ToStatus(Ort().GetDimensionsCount(info.get(), &found_rank), "rank"));
  if (found_rank != rank) return Internal("rank ", found_rank, ", expected ", rank);
  int64_t found[2] = {0, 1};
  KS_RETURN_IF_ERROR(ToStatus(Ort().GetDimensions(info.get(), found, rank), "shape"));
  const int64_t expected[2] = {rows, rank == 1 ? 1 : columns};
  for (size_t i = 0; i < rank; ++i) {
    if (expected[i] != NodeInfo::kAnySize && found[i] != expected[i]) {
      return Internal("shape ", Shape({found, rank}), ", expected ", Shape({expected, rank}));
    }
  }
  const void* data = nullptr;
  KS_RETURN_IF_ERROR(
      ToStatus(Ort().GetTensorMutableData(const_cast<OrtValue*>(value), const_cast<void**>(&data)), "data"));
  return Matrix<T>{static_cast<const T*>(data), found[0], found[1]};
}

}  // namespace

// --- NodeInfo ---

std::string NodeInfo::name() const {
  char text[256] = "";
  size_t size = sizeof(text);
  if (OrtStatus* failed = Ort().KernelInfo_GetNodeName(info_, text, &size); failed != nullptr) {
    Ort().ReleaseStatus(failed);
    return "with a long name";
  }
  return text;
}

absl::StatusOr<int> NodeInfo::Int(const char* attribute, int least, int most) const {
  int64_t value = 0;
  const absl::Status status = ToStatus(Ort().KernelInfoGetAttribute_int64(info_, attribute, &value), attribute);
  if (!status.ok()) return Error(ToStd(status.message()));
  if (value < least || value > most) {
    return Error(attribute, " is ", value, ", expected ", least, " to ", most);
  }
  return static_cast<int>(value);
}

absl::StatusOr<float> NodeInfo::Float(const char* attribute) const {
  float value = 0;
  const absl::Status status = ToStatus(Ort().KernelInfoGetAttribute_float(info_, attribute, &value), attribute);
  if (!status.ok()) return Error(ToStd(status.message()));
  return value;
}

absl::StatusOr<std::vector<int64_t>> NodeInfo::IntList(const char* attribute) const {
  size_t size = 0;
  absl::Status status = ToStatus(Ort().KernelInfoGetAttributeArray_int64(info_, attribute, nullptr, &size), attribute);
  std::vector<int64_t> values(size);
  if (status.ok() && size > 0) {
    status = ToStatus(Ort().KernelInfoGetAttributeArray_int64(info_, attribute, values.data(), &size), attribute);
  }
  if (!status.ok()) return Error(ToStd(status.message()));
  return values;
}

absl::StatusOr<size_t> NodeInfo::InputCount() const {
  size_t count = 0;
  KS_RETURN_IF_ERROR(ToStatus(Ort().KernelInfo_GetInputCount(info_, &count), "input count"));
  return count;
}

template <typename T>
absl::StatusOr<Matrix<T>> NodeInfo::Constant(size_t index, const char* what, size_t rank, int64_t rows,
                                             int64_t columns) const {
  int is_constant = 0;
  const OrtValue* value = nullptr;
  KS_RETURN_IF_ERROR(ToStatus(Ort().KernelInfoGetConstantInput_tensor(info_, index, &is_constant, &value), what));
  if (is_constant == 0 || value == nullptr) return Error(what, " is no initializer");
  absl::StatusOr<Matrix<T>> matrix = View<T>(value, rank, rows, columns);
  if (!matrix.ok()) return Error(what, " has ", ToStd(matrix.status().message()));
  return matrix;
}

absl::StatusOr<Matrix<float>> NodeInfo::Floats(size_t index, const char* what, int64_t rows, int64_t columns) const {
  return Constant<float>(index, what, 2, rows, columns);
}

absl::StatusOr<Matrix<uint16_t>> NodeInfo::Halves(size_t index, const char* what, int64_t rows, int64_t columns) const {
  return Constant<uint16_t>(index, what, 2, rows, columns);
}

absl::StatusOr<Matrix<float>> NodeInfo::FloatVector(size_t index, const char* what) const {
  return Constant<float>(index, what, 1, kAnySize, 1);
}

absl::StatusOr<const float*> NodeInfo::Floats(size_t index, const char* what, int64_t size) const {
  KS_ASSIGN_OR_RETURN(const Matrix<float> vector, Constant<float>(index, what, 1, size, 1));
  return vector.data;
}

absl::StatusOr<const int32_t*> NodeInfo::Ints(size_t index, const char* what, int64_t size) const {
  KS_ASSIGN_OR_RETURN(const Matrix<int32_t> vector, Constant<int32_t>(index, what, 1, size, 1));
  return vector.data;
}

absl::StatusOr<const uint8_t*> NodeInfo::Bytes(size_t index, const char* what, int64_t size) const {
  KS_ASSIGN_OR_RETURN(const Matrix<uint8_t> vector, Constant<uint8_t>(index, what, 1, size, 1));
  return vector.data;
}

absl::StatusOr<Matrix<uint8_t>> NodeInfo::ByteVector(size_t index, const char* what) const {
  return Constant<uint8_t>(index, what, 1, kAnySize, 1);
}

// --- OpContext ---

template <typename T>
absl::StatusOr<Matrix<T>> OpContext::Input(size_t index, size_t rank, int64_t rows, int64_t columns) const {
  const OrtValue* value = nullptr;
  KS_RETURN_IF_ERROR(ToStatus(Ort().KernelContext_GetInput(context_, index, &value), "input"));
  if (value == nullptr) return Internal("input ", index, " is missing");
  absl::StatusOr<Matrix<T>> matrix = View<T>(value, rank, rows, columns);
  if (!matrix.ok()) return Internal("input ", index, " has ", ToStd(matrix.status().message()));
  return matrix;
}

absl::StatusOr<Matrix<float>> OpContext::Floats(size_t index, int64_t rows, int64_t columns) const {
  return Input<float>(index, 2, rows, columns);
}

absl::StatusOr<Matrix<int32_t>> OpContext::Ints(size_t index, int64_t size) const {
  return Input<int32_t>(index, 1, size, 1);
}

absl::StatusOr<Matrix<int32_t>> OpContext::Offsets(size_t index, int64_t rows) const {
  KS_ASSIGN_OR_RETURN(const Matrix<int32_t> offsets, Ints(index, NodeInfo::kAnySize));
  if (offsets.rows < 1) return Internal("no offsets, expected B + 1");
  if (const int32_t end = offsets.data[offsets.rows - 1]; end != rows) {
    return Internal("the offsets end at ", end, ", expected the ", rows, " rows of the input");
  }
  return offsets;
}

absl::StatusOr<float*> OpContext::Output(int64_t rows, int64_t columns) {
  const int64_t shape[] = {rows, columns};
  OrtValue* value = nullptr;
  KS_RETURN_IF_ERROR(ToStatus(Ort().KernelContext_GetOutput(context_, 0, shape, std::size(shape), &value), "output"));
  void* data = nullptr;
  KS_RETURN_IF_ERROR(ToStatus(Ort().GetTensorMutableData(value, &data), "output data"));
  return static_cast<float*>(data);
}

void OpContext::Run(size_t count, const std::function<void(size_t)>& body) {
  if (concurrency() == 1 || count < 2) {
    for (size_t i = 0; i < count; ++i) body(i);
    return;
  }
  // No exception may cross the team's or the runtime's threads.
  struct Shared {
    const std::function<void(size_t)>& body;
    std::atomic<size_t> next = 0;
    std::atomic<bool> out_of_memory = false;
  } shared{body};
  const auto call = [](void* data, size_t index) {
    Shared& all = *static_cast<Shared*>(data);
    try {
      all.body(index);
    } catch (const std::bad_alloc&) {
      all.out_of_memory = true;
    }
  };
  absl::Status status;
  if (settings_.team->size() > 1) {
    settings_.team->Run([&](int) {
      for (size_t i = shared.next++; i < count; i = shared.next++) call(&shared, i);
    });
  } else {
    status = ToStatus(Ort().KernelContext_ParallelFor(context_, call, count, 0, &shared), "parallel loop");
  }
  if (shared.out_of_memory) throw std::bad_alloc();
  if (status_.ok()) status_ = std::move(status);
}

}  // namespace ks
