// Tested by layer_operator_test.cc.
#include "backend/onnx/layer_operator.h"

#include "backend/onnx/int8_operators.h"
#include "base/status_macros.h"

namespace ks {
namespace {

constexpr int kMostHidden = 1 << 14;
constexpr int kMostInner = 1 << 15;
static_assert(3 * kMostHidden <= kMostInt8Outputs && kMostInner <= kMostInt8Inputs);

}  // namespace

absl::StatusOr<EncoderLayer> EncoderLayer::Create(const NodeInfo& node) {
  EncoderLayer made{};
  LayerWeights& weights = made.weights;
  KS_ASSIGN_OR_RETURN(const int hidden, node.Int("hidden", 1, kMostHidden));
  KS_ASSIGN_OR_RETURN(const int inner, node.Int("inner", 1, kMostInner));
  KS_ASSIGN_OR_RETURN(weights.heads, node.Int("heads", 1, hidden));
  KS_ASSIGN_OR_RETURN(const int first_tokens, node.Int("first_tokens", 0, 1));
  KS_ASSIGN_OR_RETURN(weights.epsilon, node.Float("epsilon"));
  if (hidden % kInt8Outputs != 0) return node.Error("hidden is ", hidden, ", expected a multiple of ", kInt8Outputs);
  if (hidden % weights.heads != 0) {
    return node.Error("hidden is ", hidden, ", expected a multiple of ", weights.heads, " heads");
  }
  weights.first_tokens = first_tokens != 0;

  const auto norm = [&](size_t index, const char* what) -> absl::StatusOr<LayerWeights::Norm> {
    KS_ASSIGN_OR_RETURN(const float* const gamma, node.Floats(index, what, hidden));
    KS_ASSIGN_OR_RETURN(const float* const beta, node.Floats(index + 1, what, hidden));
    return LayerWeights::Norm{gamma, beta};
  };
  KS_ASSIGN_OR_RETURN(weights.qkv, Int8Constants(node, 2, 3 * hidden, hidden));
  KS_ASSIGN_OR_RETURN(weights.attention_output, Int8Constants(node, 7, hidden, hidden));
  KS_ASSIGN_OR_RETURN(weights.attention_norm, norm(12, "attention_norm"));
  KS_ASSIGN_OR_RETURN(weights.ffn_in, Int8Constants(node, 14, inner, hidden));
  KS_ASSIGN_OR_RETURN(weights.ffn_out, Int8Constants(node, 19, hidden, inner));
  KS_ASSIGN_OR_RETURN(weights.ffn_norm, norm(24, "ffn_norm"));
  return made;
}

absl::Status EncoderLayer::Compute(OpContext& context) const {
  KS_ASSIGN_OR_RETURN(const Matrix<float> x, context.Floats(0, NodeInfo::kAnySize, weights.hidden()));
  KS_ASSIGN_OR_RETURN(const Matrix<int32_t> offsets, context.Offsets(1, x.rows));
  const int sequences = static_cast<int>(offsets.rows) - 1;
  KS_ASSIGN_OR_RETURN(float* const out, context.Output(weights.first_tokens ? sequences : x.rows, weights.hidden()));
  if (x.rows == 0) return absl::OkStatus();
  const KernelTable& kernels = context.kernels();
  Team& team = context.team();
  RunLayers(kernels, {&weights, 1}, {.x = x.data, .offsets = offsets.data, .sequences = sequences, .out = out},
            FasterPlan(kernels.isa, weights.hidden(), static_cast<int>(x.rows), team.size()), team);
  return absl::OkStatus();
}

}  // namespace ks
