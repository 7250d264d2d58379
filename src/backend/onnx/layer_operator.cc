// Tested by layer_operator_test.cc.
#include "backend/onnx/layer_operator.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "backend/onnx/int8_operators.h"
#include "base/status_macros.h"

namespace ks {
namespace {

constexpr int kMostHidden = 1 << 14;
constexpr int kMostInner = 1 << 15;
static_assert(3 * kMostHidden <= kMostInt8Outputs && kMostInner <= kMostInt8Inputs);

// Hands out the tensors inside the node's bytes in the order of `begins`; the first error stays.
class Tensors {
 public:
  Tensors(const NodeInfo& node, const Matrix<uint8_t>& bytes, std::vector<int64_t> begins)
      : node_(node), bytes_(bytes), begins_(std::move(begins)) {}

  bool AtEnd() const { return next_ == begins_.size(); }

  template <typename T>
  const T* Take(const char* what, int64_t count, int64_t alignment = alignof(T)) {
    const int64_t size = count * static_cast<int64_t>(sizeof(T));
    const int64_t begin = begins_[next_++];
    if (begin < 0 || begin > bytes_.rows || size > bytes_.rows - begin) {
      Fail(what, " lies at ", begin, " and has ", size, " bytes, outside the ", bytes_.rows, " of the weights");
      return nullptr;
    }
    taken_.push_back({begin, begin + size});
    const uint8_t* const data = bytes_.data + begin;
    if (reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(alignment) != 0) {
      Fail(what, " lies at ", begin, ", which is on no boundary of ", alignment, " bytes");
    }
    return reinterpret_cast<const T*>(data);
  }

  Int8Weights Dense(int outputs, int inputs) {
    const int64_t padded = PaddedOutputs(outputs);
    return {.packed = Take<int8_t>("packed", static_cast<int64_t>(PackedInt8Bytes(outputs, inputs)), 64),
            .scales = Take<float>("scales", padded),
            .column_sums = Take<int32_t>("column_sums", padded),
            .bias = Take<float>("bias", padded),
            .multipliers = Take<float>("multipliers", inputs),
            .inputs = inputs,
            .outputs = outputs};
  }

  LayerWeights::Norm Norm(int hidden) { return {Take<float>("gamma", hidden), Take<float>("beta", hidden)}; }

  // Sizes that are not those of the tensors make them overlap.
  absl::Status Check() {
    std::ranges::sort(taken_, {}, &Extent::begin);
    for (size_t i = 1; i < taken_.size(); ++i) {
      if (taken_[i].begin < taken_[i - 1].end) {
        Fail("a tensor reaches from ", taken_[i - 1].begin, " to ", taken_[i - 1].end, " and another begins at ",
             taken_[i].begin);
      }
    }
    return status_;
  }

 private:
  struct Extent {
    int64_t begin, end;
  };

  template <typename... Pieces>
  void Fail(const Pieces&... pieces) {
    if (status_.ok()) status_ = node_.Error(pieces...);
  }

  const NodeInfo& node_;
  const Matrix<uint8_t> bytes_;
  const std::vector<int64_t> begins_;
  size_t next_ = 0;
  std::vector<Extent> taken_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<EncoderLayers> EncoderLayers::Create(const NodeInfo& node) {
  KS_ASSIGN_OR_RETURN(const int hidden, node.Int("hidden", 1, kMostHidden));
  KS_ASSIGN_OR_RETURN(const int inner, node.Int("inner", 1, kMostInner));
  KS_ASSIGN_OR_RETURN(const int heads, node.Int("heads", 1, hidden));
  KS_ASSIGN_OR_RETURN(const int first_tokens, node.Int(kLayersNodeFirstTokens, 0, 1));
  KS_ASSIGN_OR_RETURN(const float epsilon, node.Float("epsilon"));
  if (hidden % kInt8Outputs != 0) return node.Error("hidden is ", hidden, ", expected a multiple of ", kInt8Outputs);
  if (hidden % heads != 0) return node.Error("hidden is ", hidden, ", expected a multiple of ", heads, " heads");
  KS_ASSIGN_OR_RETURN(const Matrix<uint8_t> bytes, node.ByteVector(2, "weights"));
  KS_ASSIGN_OR_RETURN(std::vector<int64_t> begins, node.IntList(kLayersNodeBegins));
  if (begins.empty() || begins.size() % kLayersNodeTensors != 0) {
    return node.Error("begins has ", begins.size(), " numbers, expected ", kLayersNodeTensors, " for each layer");
  }

  EncoderLayers made{};
  Tensors tensors(node, bytes, std::move(begins));
  while (!tensors.AtEnd()) {
    LayerWeights& layer = made.layers.emplace_back();
    layer.qkv = tensors.Dense(3 * hidden, hidden);
    layer.attention_output = tensors.Dense(hidden, hidden);
    layer.attention_norm = tensors.Norm(hidden);
    layer.ffn_in = tensors.Dense(inner, hidden);
    layer.ffn_out = tensors.Dense(hidden, inner);
    layer.ffn_norm = tensors.Norm(hidden);
    layer.epsilon = epsilon;
    layer.heads = heads;
  }
  KS_RETURN_IF_ERROR(tensors.Check());
  made.layers.back().first_tokens = first_tokens != 0;
  return made;
}

absl::Status EncoderLayers::Compute(OpContext& context) const {
  const int hidden = layers.front().hidden();
  KS_ASSIGN_OR_RETURN(const Matrix<float> x, context.Floats(0, NodeInfo::kAnySize, hidden));
  KS_ASSIGN_OR_RETURN(const Matrix<int32_t> offsets, context.Offsets(1, x.rows));
  const int sequences = static_cast<int>(offsets.rows) - 1;
  KS_ASSIGN_OR_RETURN(float* const out, context.Output(layers.back().first_tokens ? sequences : x.rows, hidden));
  if (x.rows == 0) return absl::OkStatus();
  const KernelTable& kernels = context.kernels();
  Team& team = context.team();
  RunLayers(kernels, layers, {.x = x.data, .offsets = offsets.data, .sequences = sequences, .out = out},
            FasterPlan(kernels.isa, hidden, static_cast<int>(x.rows), team.size()), team);
  return absl::OkStatus();
}

}  // namespace ks
