// The arithmetic is kernels'; here is where its arrays come from. Offsets were checked by CheckBatch before the run.
// Tested by operators_test.cc and onnx_backend_test.cc.
#include "backend/onnx/packed_operators.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <vector>

#include "base/status_macros.h"
#include "kernels/attention.h"
#include "kernels/int8_attention.h"

namespace ks {
namespace {

constexpr int64_t kAny = NodeInfo::kAnySize;
constexpr int kMostHeads = 1 << 16;
// Rows of a table lie anywhere: some microseconds of one core.
constexpr int kEmbeddedRows = 8;

// Rows of `table` [limit, ..].
absl::Status CheckRows(const char* what, const Matrix<int32_t>& rows, int64_t limit) {
  for (int64_t t = 0; t < rows.rows; ++t) {
    if (rows.data[t] < 0 || rows.data[t] >= limit) {
      return Internal("the ", what, " at token ", t, " lies outside the table of ", limit, " rows");
    }
  }
  return absl::OkStatus();
}

// `Tasks` is AttentionTasks or Int8AttentionTasks.
template <typename Tasks>
absl::Status Attend(OpContext& context, const Matrix<int32_t>& offsets, int64_t width, AttentionArgs args) {
  if (width % args.heads != 0) return Internal("a width of ", width, ", expected a multiple of ", args.heads, " heads");
  KS_ASSIGN_OR_RETURN(args.out, context.Output(offsets.data[offsets.rows - 1], width));
  args.offsets = offsets.data;
  args.sequences = static_cast<int>(offsets.rows) - 1;
  args.head_size = static_cast<int>(width) / args.heads;
  args.out_stride = static_cast<size_t>(width);
  const Tasks tasks(context.kernels(), args);
  context.Run(tasks.count(), [&tasks](size_t i) { tasks.Run(i); });
  return absl::OkStatus();
}

}  // namespace

template <typename Table>
absl::StatusOr<BasicEmbeddings<Table>> BasicEmbeddings<Table>::Create(const NodeInfo& node) {
  const auto table = [&node](size_t index, const char* what, int64_t width) {
    if constexpr (kIsNormed) {
      return node.Halves(index, what, kAny, width);
    } else {
      return node.Floats(index, what, kAny, width);
    }
  };
  BasicEmbeddings made;
  KS_ASSIGN_OR_RETURN(made.words, table(2, "words", kAny));
  KS_ASSIGN_OR_RETURN(made.positions, table(3, "positions", made.words.columns));
  if constexpr (kIsNormed) {
    KS_ASSIGN_OR_RETURN(made.gamma, node.Floats(4, "gamma", made.words.columns));
    KS_ASSIGN_OR_RETURN(made.beta, node.Floats(5, "beta", made.words.columns));
    KS_ASSIGN_OR_RETURN(made.epsilon, node.Float("epsilon"));
  }
  KS_ASSIGN_OR_RETURN(const size_t inputs, node.InputCount());
  if (inputs == kInputs.size()) {
    KS_ASSIGN_OR_RETURN(made.types, table(kInputs.size() - 1, "types", made.words.columns));
  }
  return made;
}

template <typename Table>
absl::Status BasicEmbeddings<Table>::Compute(OpContext& context) const {
  KS_ASSIGN_OR_RETURN(const Matrix<int32_t> ids, context.Ints(0, kAny));
  KS_RETURN_IF_ERROR(CheckRows("id", ids, words.rows));
  KS_ASSIGN_OR_RETURN(const Matrix<int32_t> offsets, context.Offsets(1, ids.rows));
  Matrix<int32_t> type_ids;
  if (types.data != nullptr) {
    KS_ASSIGN_OR_RETURN(type_ids, context.Ints(kRequiredInputs, ids.rows));
    KS_RETURN_IF_ERROR(CheckRows("token type", type_ids, types.rows));
  }
  KS_ASSIGN_OR_RETURN(float* const out, context.Output(ids.rows, words.columns));

  std::vector<int32_t> position_of(ids.rows);
  for (int64_t i = 0; i + 1 < offsets.rows; ++i) {
    for (int32_t t = offsets.data[i]; t < offsets.data[i + 1]; ++t) position_of[t] = t - offsets.data[i];
  }
  KS_RETURN_IF_ERROR(
      CheckRows("position", {position_of.data(), static_cast<int64_t>(position_of.size())}, positions.rows));
  const KernelTable& kernels = context.kernels();
  const int width = static_cast<int>(words.columns);
  const int rows = static_cast<int>(ids.rows);
  context.Run(static_cast<size_t>((rows + kEmbeddedRows - 1) / kEmbeddedRows), [&](size_t task) {
    const int first = static_cast<int>(task) * kEmbeddedRows;
    const BasicEmbedArgs<Table> args = {.ids = ids.data + first,
                                        .type_ids = types.data == nullptr ? nullptr : type_ids.data + first,
                                        .positions = position_of.data() + first,
                                        .word = words.data,
                                        .type = types.data,
                                        .position = positions.data,
                                        .out = out + static_cast<size_t>(first) * width,
                                        .rows = std::min(rows - first, kEmbeddedRows),
                                        .width = width};
    if constexpr (kIsNormed) {
      kernels.embed_half(args);
      kernels.layer_norm({.x = args.out,
                          .gamma = gamma,
                          .beta = beta,
                          .eps = epsilon,
                          .out = args.out,
                          .rows = args.rows,
                          .width = width});
    } else {
      kernels.embed(args);
    }
  });
  return absl::OkStatus();
}

template struct BasicEmbeddings<float>;
template struct BasicEmbeddings<uint16_t>;

absl::StatusOr<PackedAttention> PackedAttention::Create(const NodeInfo& node) {
  KS_ASSIGN_OR_RETURN(const int heads, node.Int("heads", 1, kMostHeads));
  return PackedAttention{heads};
}

absl::Status PackedAttention::Compute(OpContext& context) const {
  KS_ASSIGN_OR_RETURN(const Matrix<float> query, context.Floats(0, kAny, kAny));
  KS_ASSIGN_OR_RETURN(const Matrix<float> key, context.Floats(1, query.rows, query.columns));
  KS_ASSIGN_OR_RETURN(const Matrix<float> value, context.Floats(2, query.rows, query.columns));
  KS_ASSIGN_OR_RETURN(const Matrix<int32_t> offsets, context.Offsets(3, query.rows));
  return Attend<AttentionTasks>(context, offsets, query.columns,
                                {.q = query.data,
                                 .k = key.data,
                                 .v = value.data,
                                 .row_stride = static_cast<size_t>(query.columns),
                                 .heads = heads});
}

absl::StatusOr<PackedAttentionQkv> PackedAttentionQkv::Create(const NodeInfo& node) {
  KS_ASSIGN_OR_RETURN(const int heads, node.Int("heads", 1, kMostHeads));
  KS_ASSIGN_OR_RETURN(const int int8, node.Int("int8", 0, 1));
  return PackedAttentionQkv{heads, int8 == 1};
}

absl::Status PackedAttentionQkv::Compute(OpContext& context) const {
  KS_ASSIGN_OR_RETURN(const Matrix<float> qkv, context.Floats(0, kAny, kAny));
  if (qkv.columns % 3 != 0) return Internal("a width of ", qkv.columns, ", expected three of the same");
  KS_ASSIGN_OR_RETURN(const Matrix<int32_t> offsets, context.Offsets(1, qkv.rows));
  const int64_t width = qkv.columns / 3;
  const AttentionArgs args = {.q = qkv.data,
                              .k = qkv.data + width,
                              .v = qkv.data + 2 * width,
                              .row_stride = static_cast<size_t>(qkv.columns),
                              .heads = heads};
  return int8 ? Attend<Int8AttentionTasks>(context, offsets, width, args)
              : Attend<AttentionTasks>(context, offsets, width, args);
}

absl::Status FirstTokens::Compute(OpContext& context) const {
  KS_ASSIGN_OR_RETURN(const Matrix<float> x, context.Floats(0, kAny, kAny));
  KS_ASSIGN_OR_RETURN(const Matrix<int32_t> offsets, context.Offsets(1, x.rows));
  KS_ASSIGN_OR_RETURN(float* const out, context.Output(offsets.rows - 1, x.columns));
  for (int64_t i = 0; i + 1 < offsets.rows; ++i) {
    std::memcpy(out + i * x.columns, x.row(offsets.data[i]), sizeof(float) * x.columns);
  }
  return absl::OkStatus();
}

}  // namespace ks
