// Tested by operators_test.cc and onnx_backend_test.cc.
#include "backend/onnx/operators.h"

#include <tuple>

#include "backend/onnx/custom_op.h"
#include "backend/onnx/int8_operators.h"
#include "backend/onnx/layer_operator.h"
#include "backend/onnx/packed_operators.h"
#include "backend/onnx/row_operators.h"
#include "base/status_macros.h"

namespace ks {

struct Operators::Ops {
  explicit Ops(const OperatorSettings& settings)
      : all(settings, settings, settings, settings, settings, settings, settings, settings, settings, settings) {}

  std::tuple<CustomOp<Embeddings>, CustomOp<NormedEmbeddings>, CustomOp<PackedAttention>, CustomOp<PackedAttentionQkv>,
             CustomOp<FirstTokens>, CustomOp<Int8Linear>, CustomOp<LinearF32>, CustomOp<LayerNormRows>,
             CustomOp<Classifier>, CustomOp<EncoderLayers>>
      all;
};

Operators::Operators() = default;
Operators::~Operators() = default;

absl::StatusOr<std::unique_ptr<Operators>> Operators::Create(const OperatorSettings& settings) {
  std::unique_ptr<Operators> operators(new Operators());
  operators->ops_ = std::make_unique<Ops>(settings);
  KS_ASSIGN_OR_RETURN(operators->domain_, MakeOrt<OrtCustomOpDomain>("operator domain", [](OrtCustomOpDomain** out) {
                        return Ort().CreateCustomOpDomain("kubesentiment", out);
                      }));
  absl::Status status;
  const auto add = [&](const OrtCustomOp& op) {
    if (status.ok()) status = ToStatus(Ort().CustomOpDomain_Add(operators->domain_.get(), &op), "operator");
  };
  std::apply([&](const auto&... op) { (add(op), ...); }, operators->ops_->all);
  if (!status.ok()) return status;
  return operators;
}

}  // namespace ks
