// The arithmetic is kernels'; here is where its arrays come from. Ids and offsets were checked by CheckBatch before the
// run. Tested by onnx_backend_test.cc.
#include "backend/onnx/operators.h"

#include <cstring>
#include <vector>

#include "backend/onnx/custom_op.h"
#include "base/status.h"
#include "base/status_macros.h"
#include "kernels/attention.h"
#include "kernels/dispatch.h"

namespace ks {
namespace {

constexpr ONNXTensorElementDataType kFloat = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
constexpr ONNXTensorElementDataType kInt32 = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;

struct Embeddings {
  static constexpr const char* kName = "Embeddings";
  static constexpr ONNXTensorElementDataType kInputs[] = {kInt32, kInt32, kFloat, kFloat, kInt32, kFloat};
  static constexpr size_t kRequiredInputs = 4;

  static absl::StatusOr<Embeddings> Create(const OrtKernelInfo*) { return Embeddings{}; }

  absl::Status Compute(OpContext& context) const {
    KS_ASSIGN_OR_RETURN(const Matrix<int32_t> ids, context.Ints(0, 1));
    KS_ASSIGN_OR_RETURN(const Matrix<int32_t> offsets, context.Ints(1, 1));
    KS_ASSIGN_OR_RETURN(const Matrix<float> words, context.Floats(2, 2));
    KS_ASSIGN_OR_RETURN(const Matrix<float> positions, context.Floats(3, 2));
    Matrix<int32_t> type_ids;
    Matrix<float> types;
    KS_ASSIGN_OR_RETURN(const size_t inputs, context.InputCount());
    if (inputs == std::size(kInputs)) {
      KS_ASSIGN_OR_RETURN(type_ids, context.Ints(4, 1));
      KS_ASSIGN_OR_RETURN(types, context.Floats(5, 2));
    }
    KS_ASSIGN_OR_RETURN(float* out, context.Output(ids.rows, words.columns));

    std::vector<int32_t> position_of(ids.rows);
    for (int64_t i = 0; i + 1 < offsets.rows; ++i) {
      for (int32_t t = offsets.data[i]; t < offsets.data[i + 1]; ++t) position_of[t] = t - offsets.data[i];
    }
    BestKernels().embed({.ids = ids.data,
                         .type_ids = type_ids.data,
                         .positions = position_of.data(),
                         .word = words.data,
                         .type = types.data,
                         .position = positions.data,
                         .out = out,
                         .rows = static_cast<int>(ids.rows),
                         .width = static_cast<int>(words.columns)});
    return absl::OkStatus();
  }
};

struct PackedAttention {
  static constexpr const char* kName = "PackedAttention";
  static constexpr ONNXTensorElementDataType kInputs[] = {kFloat, kFloat, kFloat, kInt32};
  static constexpr size_t kRequiredInputs = 4;

  static absl::StatusOr<PackedAttention> Create(const OrtKernelInfo* info) {
    KS_ASSIGN_OR_RETURN(const int64_t heads, IntAttribute(info, "heads"));
    if (heads < 1) return Internal("heads is ", heads, ", expected 1 or more");
    return PackedAttention{static_cast<int>(heads)};
  }

  absl::Status Compute(OpContext& context) const {
    KS_ASSIGN_OR_RETURN(const Matrix<float> query, context.Floats(0, 2));
    KS_ASSIGN_OR_RETURN(const Matrix<float> key, context.Floats(1, 2));
    KS_ASSIGN_OR_RETURN(const Matrix<float> value, context.Floats(2, 2));
    KS_ASSIGN_OR_RETURN(const Matrix<int32_t> offsets, context.Ints(3, 1));
    KS_ASSIGN_OR_RETURN(float* out, context.Output(query.rows, query.columns));

    const size_t stride = static_cast<size_t>(query.columns);
    const AttentionTasks tasks(BestKernels(), {.q = query.data,
                                               .k = key.data,
                                               .v = value.data,
                                               .row_stride = stride,
                                               .offsets = offsets.data,
                                               .sequences = static_cast<int>(offsets.rows) - 1,
                                               .heads = heads,
                                               .head_size = static_cast<int>(query.columns) / heads,
                                               .out = out,
                                               .out_stride = stride});
    context.Run(tasks.count(), [&tasks](size_t i) { tasks.Run(i); });
    return absl::OkStatus();
  }

  int heads;
};

struct FirstTokens {
  static constexpr const char* kName = "FirstTokens";
  static constexpr ONNXTensorElementDataType kInputs[] = {kFloat, kInt32};
  static constexpr size_t kRequiredInputs = 2;

  static absl::StatusOr<FirstTokens> Create(const OrtKernelInfo*) { return FirstTokens{}; }

  absl::Status Compute(OpContext& context) const {
    KS_ASSIGN_OR_RETURN(const Matrix<float> x, context.Floats(0, 2));
    KS_ASSIGN_OR_RETURN(const Matrix<int32_t> offsets, context.Ints(1, 1));
    KS_ASSIGN_OR_RETURN(float* out, context.Output(offsets.rows - 1, x.columns));
    for (int64_t i = 0; i + 1 < offsets.rows; ++i) {
      std::memcpy(out + i * x.columns, x.row(offsets.data[i]), sizeof(float) * x.columns);
    }
    return absl::OkStatus();
  }
};

}  // namespace

struct Operators::Ops {
  explicit Ops(int threads) : embeddings(threads), packed_attention(threads), first_tokens(threads) {}

  CustomOp<Embeddings> embeddings;
  CustomOp<PackedAttention> packed_attention;
  CustomOp<FirstTokens> first_tokens;
};

Operators::Operators() = default;
Operators::~Operators() = default;

absl::StatusOr<std::unique_ptr<Operators>> Operators::Create(int threads) {
  std::unique_ptr<Operators> operators(new Operators());
  operators->ops_ = std::make_unique<Ops>(threads);
  KS_ASSIGN_OR_RETURN(operators->domain_, MakeOrt<OrtCustomOpDomain>("operator domain", [](OrtCustomOpDomain** out) {
                        return Ort().CreateCustomOpDomain("kubesentiment", out);
                      }));
  const Ops& ops = *operators->ops_;
  for (const OrtCustomOp* op :
       std::initializer_list<const OrtCustomOp*>{&ops.embeddings, &ops.packed_attention, &ops.first_tokens}) {
    KS_RETURN_IF_ERROR(ToStatus(Ort().CustomOpDomain_Add(operators->domain_.get(), op), "operator"));
  }
  return operators;
}

}  // namespace ks
