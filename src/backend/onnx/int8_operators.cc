// Rows are quantised by the task that multiplies them, a block at a time, into memory that each thread keeps: nothing
// is handed from one thread to another, and no thread waits for rows. Tasks that share rows quantise them once each:
// two tasks of 64 rows spend 4 to 15 % of their time on it at the default model's shapes.
// Tested by operators_test.cc.
#include "backend/onnx/int8_operators.h"

#include <algorithm>
#include <vector>

#include "backend/onnx/work_split.h"
#include "base/status_macros.h"

namespace ks {
namespace {

// About 10 microseconds of one core with byte products.
constexpr int64_t kTaskMultiplyAdds = 1 << 21;
constexpr int64_t kBlockRows = 64;

// The quantised rows of one block. One per thread; stays at kBlockRows times the widest layer.
struct Block {
  std::vector<uint8_t> q;
  float scales[kBlockRows];
  int32_t zero_points[kBlockRows];
};

Block& ThreadBlock(size_t bytes) {
  thread_local Block block;
  if (block.q.size() < bytes) block.q.resize(bytes);
  return block;
}

// The weights [outputs, inputs] from the node's inputs behind x, each of the size that kernels/int8_linear.h says.
absl::StatusOr<Int8Weights> Constants(const NodeInfo& node, int outputs, int inputs) {
  Int8Weights weights = {.inputs = inputs, .outputs = outputs};
  const int64_t bytes = static_cast<int64_t>(PackedInt8Bytes(outputs, inputs));
  KS_ASSIGN_OR_RETURN(const uint8_t* const packed, node.Bytes(1, "packed", bytes));
  if (reinterpret_cast<uintptr_t>(packed) % 64 != 0) return node.Error("packed is not on a 64-byte boundary");
  weights.packed = reinterpret_cast<const int8_t*>(packed);
  const int64_t padded = PaddedOutputs(outputs);
  KS_ASSIGN_OR_RETURN(weights.scales, node.Floats(2, "scales", padded));
  KS_ASSIGN_OR_RETURN(weights.column_sums, node.Ints(3, "column_sums", padded));
  KS_ASSIGN_OR_RETURN(weights.bias, node.Floats(4, "bias", padded));
  KS_ASSIGN_OR_RETURN(weights.multipliers, node.Floats(5, "multipliers", inputs));
  return weights;
}

}  // namespace

absl::StatusOr<Int8Linear> Int8Linear::Create(const NodeInfo& node) {
  Int8Linear made{};
  KS_ASSIGN_OR_RETURN(const int inputs, node.Int("inputs", 1, kMostInt8Inputs));
  KS_ASSIGN_OR_RETURN(const int outputs, node.Int("outputs", 1, kMostInt8Outputs));
  KS_ASSIGN_OR_RETURN(const int gelu, node.Int("gelu", 0, 1));
  made.epilogue = gelu != 0 ? Epilogue::kGelu : Epilogue::kNone;
  KS_ASSIGN_OR_RETURN(made.weights, Constants(node, outputs, inputs));
  KS_ASSIGN_OR_RETURN(const size_t given, node.InputCount());
  made.has_residual = given == std::size(kInputs);
  return made;
}

absl::Status Int8Linear::Compute(OpContext& context) const {
  const int64_t outputs = weights.outputs;
  KS_ASSIGN_OR_RETURN(const Matrix<float> x, context.Floats(0, NodeInfo::kAnySize, weights.inputs));
  Matrix<float> residual;
  if (has_residual) {
    KS_ASSIGN_OR_RETURN(residual, context.Floats(6, x.rows, outputs));
  }
  KS_ASSIGN_OR_RETURN(float* const out, context.Output(x.rows, outputs));

  const size_t q_stride = static_cast<size_t>(PaddedInputs(weights.inputs));
  const WorkSplit split(x.rows, outputs, weights.inputs, kTaskMultiplyAdds, context.concurrency(), kInt8Outputs);
  const KernelTable& kernels = context.kernels();
  context.Run(split.tasks(), [&](size_t task) {
    const auto [rows, columns] = split.task(task);
    const size_t first_column = static_cast<size_t>(columns.begin);
    Int8Weights part = weights;
    part.packed += first_column * q_stride;
    part.scales += first_column;
    part.column_sums += first_column;
    part.bias += first_column;
    part.outputs = static_cast<int>(columns.size());

    Block& block = ThreadBlock(static_cast<size_t>(std::min(kBlockRows, rows.size())) * q_stride);
    for (int64_t row = rows.begin; row < rows.end; row += kBlockRows) {
      const int count = static_cast<int>(std::min(kBlockRows, rows.end - row));
      kernels.quantize_rows({.x = x.row(row),
                             .x_stride = static_cast<size_t>(weights.inputs),
                             .multipliers = weights.multipliers,
                             .q = block.q.data(),
                             .q_stride = q_stride,
                             .scales = block.scales,
                             .zero_points = block.zero_points,
                             .rows = count,
                             .inputs = weights.inputs});
      kernels.int8_linear({.q = block.q.data(),
                           .q_stride = q_stride,
                           .scales = block.scales,
                           .zero_points = block.zero_points,
                           .weights = part,
                           .epilogue = epilogue,
                           .residual = has_residual ? residual.row(row) + first_column : nullptr,
                           .residual_stride = static_cast<size_t>(outputs),
                           .out = out + row * outputs + first_column,
                           .out_stride = static_cast<size_t>(outputs),
                           .rows = count});
    }
  });
  return absl::OkStatus();
}

}  // namespace ks
