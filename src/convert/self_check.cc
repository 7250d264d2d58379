// The encoder written down once more, in the order of model/weights.h, over the kernels. It shares nothing with the
// ONNX graphs, so that a mistake in one shows in the other. Tested by self_check_test.cc.
#include "convert/self_check.h"

#include <cmath>
#include <numeric>

#include "base/status.h"
#include "base/status_macros.h"
#include "model/weights.h"

namespace ks {
namespace {

constexpr std::string_view kTexts[] = {
    "I love this!",
    "What a waste of two hours.",
    "The package arrived on Tuesday.",
    "Not bad at all, though I expected a little more for the price.",
    "The soup was cold, the waiter was rude, and nobody said sorry \u2014 never again.",
    "Caf\u00e9 No. 3: cr\u00e8me br\u00fbl\u00e9e 10/10, \u00a34.50 well spent \U0001F60D",
    "@support my order #48213 still shows \"pending\"... any update? http://example.com/help",
    "We had been putting off this trip for years, and I am glad we finally went. The hotel was nothing special: thin "
    "walls, a lift that worked every other day, and breakfast that ran out before nine. But the people at the front "
    "desk "
    "remembered our names, found us a doctor at midnight when my son had a fever, and would not take any money for the "
    "taxi. The beach was crowded in the morning and nearly empty by four, the water was warm, and the little "
    "restaurant "
    "behind the church served the best fish I have eaten in my life. Would I recommend the building? Probably not. "
    "Would I "
    "go back to those people? Tomorrow, if I could.",
};

// One sequence on its way through the encoder.
class Encoder {
 public:
  Encoder(const ClassifierSpec& spec, const TensorLookup& tensors, const KernelTable& kernels)
      : spec_(spec), encoder_(spec.encoder), tensors_(tensors), kernels_(kernels) {}

  absl::StatusOr<std::vector<float>> Run(std::span<const int32_t> ids, std::span<const int32_t> type_ids) {
    const WeightNames names = NamesOfWeights(spec_);
    tokens_ = static_cast<int>(ids.size());
    KS_RETURN_IF_ERROR(Embed(names, ids, type_ids));
    for (const LayerNames& layer : names.layers) KS_RETURN_IF_ERROR(Layer(layer));
    return Classify(names);
  }

 private:
  using Floats = std::vector<float>;

  absl::StatusOr<const float*> Tensor(const std::string& name, int64_t rows, int64_t columns = 1) const {
    const std::span<const float> values = tensors_(name);
    if (values.empty()) return NotFound("tensor ", name, " is missing");
    if (values.size() != static_cast<size_t>(rows * columns)) {
      return InvalidArgument("tensor ", name, ": expected ", rows * columns, " values, found ", values.size());
    }
    return values.data();
  }

  // out [rows, out_stride] = x [rows, inputs] W^T + b.
  absl::Status Linear(const LinearNames& names, const Floats& x, int rows, int inputs, int outputs, float* out,
                      size_t out_stride) const {
    KS_ASSIGN_OR_RETURN(const float* weight, Tensor(names.weight, outputs, inputs));
    KS_ASSIGN_OR_RETURN(const float* bias, Tensor(names.bias, outputs));
    kernels_.linear({.x = x.data(),
                     .x_stride = static_cast<size_t>(inputs),
                     .weight = weight,
                     .bias = bias,
                     .out = out,
                     .out_stride = out_stride,
                     .rows = rows,
                     .inputs = inputs,
                     .outputs = outputs});
    return absl::OkStatus();
  }

  // hidden_ = norm(hidden_ + residual); no residual where it is null.
  absl::Status Norm(const NormNames& names, const float* residual) {
    KS_ASSIGN_OR_RETURN(const float* gamma, Tensor(names.weight, encoder_.hidden_size));
    KS_ASSIGN_OR_RETURN(const float* beta, Tensor(names.bias, encoder_.hidden_size));
    kernels_.layer_norm({.x = hidden_.data(),
                         .residual = residual,
                         .gamma = gamma,
                         .beta = beta,
                         .eps = encoder_.layer_norm_eps,
                         .out = hidden_.data(),
                         .rows = tokens_,
                         .width = encoder_.hidden_size});
    return absl::OkStatus();
  }

  absl::Status Embed(const WeightNames& names, std::span<const int32_t> ids, std::span<const int32_t> type_ids) {
    const int width = encoder_.hidden_size;
    KS_ASSIGN_OR_RETURN(const float* word, Tensor(names.word_embeddings, encoder_.vocab_size, width));
    KS_ASSIGN_OR_RETURN(const float* position, Tensor(names.position_embeddings, encoder_.max_positions, width));
    const float* type = nullptr;
    if (encoder_.type_vocab_size > 0) {
      KS_ASSIGN_OR_RETURN(type, Tensor(names.token_type_embeddings, encoder_.type_vocab_size, width));
    }
    std::vector<int32_t> positions(ids.size());
    std::iota(positions.begin(), positions.end(), 0);
    hidden_.resize(ids.size() * static_cast<size_t>(width));
    kernels_.embed({.ids = ids.data(),
                    .type_ids = type_ids.empty() ? nullptr : type_ids.data(),
                    .positions = positions.data(),
                    .word = word,
                    .type = type,
                    .position = position,
                    .out = hidden_.data(),
                    .rows = tokens_,
                    .width = width});
    return Norm(names.embedding_norm, nullptr);
  }

  absl::Status Layer(const LayerNames& names) {
    const int width = encoder_.hidden_size;
    const size_t stride = 3 * static_cast<size_t>(width);
    Floats qkv(static_cast<size_t>(tokens_) * stride);
    KS_RETURN_IF_ERROR(Linear(names.query, hidden_, tokens_, width, width, qkv.data(), stride));
    KS_RETURN_IF_ERROR(Linear(names.key, hidden_, tokens_, width, width, qkv.data() + width, stride));
    KS_RETURN_IF_ERROR(Linear(names.value, hidden_, tokens_, width, width, qkv.data() + 2 * width, stride));

    Floats context(hidden_.size());
    const int32_t offsets[] = {0, tokens_};
    const AttentionTasks tasks(kernels_, {.q = qkv.data(),
                                          .k = qkv.data() + width,
                                          .v = qkv.data() + 2 * width,
                                          .row_stride = stride,
                                          .offsets = offsets,
                                          .sequences = 1,
                                          .heads = encoder_.heads,
                                          .head_size = encoder_.head_size(),
                                          .out = context.data(),
                                          .out_stride = static_cast<size_t>(width)});
    for (size_t i = 0; i < tasks.count(); ++i) tasks.Run(i);

    Floats residual = std::move(hidden_);
    hidden_.resize(residual.size());
    KS_RETURN_IF_ERROR(Linear(names.attention_output, context, tokens_, width, width, hidden_.data(), width));
    KS_RETURN_IF_ERROR(Norm(names.attention_norm, residual.data()));

    const int inner_width = encoder_.intermediate_size;
    Floats inner(static_cast<size_t>(tokens_) * static_cast<size_t>(inner_width));
    KS_RETURN_IF_ERROR(Linear(names.ffn_in, hidden_, tokens_, width, inner_width, inner.data(), inner_width));
    kernels_.gelu(inner.data(), inner.data(), inner.size());
    residual.swap(hidden_);
    KS_RETURN_IF_ERROR(Linear(names.ffn_out, inner, tokens_, inner_width, width, hidden_.data(), width));
    return Norm(names.ffn_norm, residual.data());
  }

  // From the first token alone.
  absl::StatusOr<Floats> Classify(const WeightNames& names) const {
    const int width = encoder_.hidden_size;
    Floats pooled(static_cast<size_t>(width));
    KS_RETURN_IF_ERROR(Linear(names.pooler, hidden_, 1, width, width, pooled.data(), width));
    const auto activate = encoder_.pooling == Pooling::kTanh ? kernels_.tanh : kernels_.relu;
    activate(pooled.data(), pooled.data(), pooled.size());
    Floats logits(static_cast<size_t>(spec_.num_labels()));
    KS_RETURN_IF_ERROR(Linear(names.classifier, pooled, 1, width, spec_.num_labels(), logits.data(), logits.size()));
    for (size_t i = 0; i < logits.size(); ++i) {
      if (!std::isfinite(logits[i])) return DataLoss("logit ", i, ": expected a finite number, found ", logits[i]);
    }
    return logits;
  }

  const ClassifierSpec& spec_;
  const EncoderSpec& encoder_;
  const TensorLookup& tensors_;
  const KernelTable& kernels_;
  int tokens_ = 0;
  Floats hidden_;  // [tokens, hidden_size]
};

// `what` names the array in the message.
absl::Status CheckIds(std::span<const int32_t> ids, int limit, std::string_view what) {
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= limit) {
      return InvalidArgument(what, "[", i, "]: expected 0 to ", limit - 1, ", found ", ids[i]);
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::span<const std::string_view> SelfCheckTexts() { return kTexts; }

absl::StatusOr<std::vector<float>> ReferenceLogits(const ClassifierSpec& spec, const TensorLookup& tensors,
                                                   std::span<const int32_t> ids, std::span<const int32_t> type_ids,
                                                   const KernelTable& kernels) {
  const EncoderSpec& encoder = spec.encoder;
  if (ids.empty() || ids.size() > static_cast<size_t>(encoder.max_positions)) {
    return InvalidArgument("expected 1 to ", encoder.max_positions, " tokens, found ", ids.size());
  }
  KS_RETURN_IF_ERROR(CheckIds(ids, encoder.vocab_size, "ids"));
  if (encoder.type_vocab_size == 0) {
    type_ids = {};
  } else if (!type_ids.empty()) {
    if (type_ids.size() != ids.size()) {
      return InvalidArgument("expected ", ids.size(), " type ids, one for each token, found ", type_ids.size());
    }
    KS_RETURN_IF_ERROR(CheckIds(type_ids, encoder.type_vocab_size, "type_ids"));
  }
  return Encoder(spec, tensors, kernels).Run(ids, type_ids);
}

}  // namespace ks
