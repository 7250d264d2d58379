// Tested by operators_test.cc.
#include "backend/onnx/row_operators.h"

#include <algorithm>
#include <vector>

#include "backend/onnx/work_split.h"
#include "base/status_macros.h"

namespace ks {
namespace {

constexpr int64_t kAny = NodeInfo::kAnySize;

// About 10 microseconds of one core each.
constexpr int64_t kTaskMultiplyAdds = 1 << 19;
// Multiply-adds that take as long as it takes to read a weight from the last-level cache: what a few rows cost.
constexpr int64_t kOneWeight = 8;
constexpr int64_t kTaskNormed = 1 << 16;

}  // namespace

absl::StatusOr<LinearWeights> LinearWeights::Create(const NodeInfo& node, size_t index, int64_t outputs,
                                                    int64_t inputs) {
  LinearWeights made;
  KS_ASSIGN_OR_RETURN(made.weight, node.Floats(index, "weight", outputs, inputs));
  KS_ASSIGN_OR_RETURN(made.bias, node.Floats(index + 1, "bias", made.weight.rows));
  return made;
}

void LinearWeights::Apply(OpContext& context, const Matrix<float>& x, bool gelu, float* out) const {
  const int64_t inputs = weight.columns;
  const int64_t outputs = weight.rows;
  const int64_t element = inputs * (x.rows + kOneWeight) / std::max<int64_t>(x.rows, 1);
  const WorkSplit split(x.rows, outputs, element, kTaskMultiplyAdds, context.concurrency());
  const KernelTable& kernels = context.kernels();
  context.Run(split.tasks(), [&](size_t task) {
    const auto [rows, columns] = split.task(task);
    float* const first = out + rows.begin * outputs + columns.begin;
    kernels.linear({.x = x.row(rows.begin),
                    .x_stride = static_cast<size_t>(inputs),
                    .weight = weight.row(columns.begin),
                    .bias = bias + columns.begin,
                    .out = first,
                    .out_stride = static_cast<size_t>(outputs),
                    .rows = static_cast<int>(rows.size()),
                    .inputs = static_cast<int>(inputs),
                    .outputs = static_cast<int>(columns.size())});
    for (int64_t row = 0; gelu && row < rows.size(); ++row) {
      float* const y = first + row * outputs;
      kernels.gelu(y, y, static_cast<size_t>(columns.size()));
    }
  });
}

absl::StatusOr<LinearF32> LinearF32::Create(const NodeInfo& node) {
  LinearF32 made{};
  KS_ASSIGN_OR_RETURN(made.weights, LinearWeights::Create(node, 1, kAny, kAny));
  KS_ASSIGN_OR_RETURN(const int gelu, node.Int("gelu", 0, 1));
  made.gelu = gelu != 0;
  return made;
}

absl::Status LinearF32::Compute(OpContext& context) const {
  KS_ASSIGN_OR_RETURN(const Matrix<float> x, context.Floats(0, kAny, weights.weight.columns));
  KS_ASSIGN_OR_RETURN(float* const out, context.Output(x.rows, weights.weight.rows));
  weights.Apply(context, x, gelu, out);
  return absl::OkStatus();
}

absl::StatusOr<LayerNormRows> LayerNormRows::Create(const NodeInfo& node) {
  LayerNormRows made{};
  KS_ASSIGN_OR_RETURN(const Matrix<float> gamma, node.FloatVector(1, "gamma"));
  made.width = gamma.rows;
  made.gamma = gamma.data;
  KS_ASSIGN_OR_RETURN(made.beta, node.Floats(2, "beta", made.width));
  KS_ASSIGN_OR_RETURN(made.epsilon, node.Float("epsilon"));
  KS_ASSIGN_OR_RETURN(const size_t inputs, node.InputCount());
  made.has_residual = inputs == std::size(kInputs);
  return made;
}

absl::Status LayerNormRows::Compute(OpContext& context) const {
  KS_ASSIGN_OR_RETURN(const Matrix<float> x, context.Floats(0, kAny, width));
  Matrix<float> residual;
  if (has_residual) {
    KS_ASSIGN_OR_RETURN(residual, context.Floats(3, x.rows, width));
  }
  KS_ASSIGN_OR_RETURN(float* const out, context.Output(x.rows, width));

  const WorkSplit split(x.rows, 1, width, kTaskNormed, context.concurrency());
  const KernelTable& kernels = context.kernels();
  context.Run(split.tasks(), [&](size_t task) {
    const WorkSplit::Range rows = split.task(task).rows;
    kernels.layer_norm({.x = x.row(rows.begin),
                        .residual = has_residual ? residual.row(rows.begin) : nullptr,
                        .gamma = gamma,
                        .beta = beta,
                        .eps = epsilon,
                        .out = out + rows.begin * width,
                        .rows = static_cast<int>(rows.size()),
                        .width = static_cast<int>(width)});
  });
  return absl::OkStatus();
}

absl::StatusOr<Classifier> Classifier::Create(const NodeInfo& node) {
  Classifier made{};
  KS_ASSIGN_OR_RETURN(made.pooler, LinearWeights::Create(node, 1, kAny, kAny));
  KS_ASSIGN_OR_RETURN(made.classifier, LinearWeights::Create(node, 3, kAny, made.pooler.weight.rows));
  KS_ASSIGN_OR_RETURN(const int tanh, node.Int("tanh", 0, 1));
  made.is_tanh = tanh != 0;
  return made;
}

absl::Status Classifier::Compute(OpContext& context) const {
  KS_ASSIGN_OR_RETURN(const Matrix<float> x, context.Floats(0, kAny, pooler.weight.columns));
  KS_ASSIGN_OR_RETURN(float* const logits, context.Output(x.rows, classifier.weight.rows));
  std::vector<float> pooled(static_cast<size_t>(x.rows * pooler.weight.rows));
  pooler.Apply(context, x, /*gelu=*/false, pooled.data());
  const auto activate = is_tanh ? context.kernels().tanh : context.kernels().relu;
  activate(pooled.data(), pooled.data(), pooled.size());
  classifier.Apply(context, {pooled.data(), x.rows, pooler.weight.rows}, /*gelu=*/false, logits);
  return absl::OkStatus();
}

}  // namespace ks
