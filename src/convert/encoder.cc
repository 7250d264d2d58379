// Tested by self_check_test.cc against PyTorch's numbers, in both precisions and on every instruction set.
#include "convert/encoder.h"

#include <cmath>
#include <cstring>
#include <numeric>
#include <string>
#include <utility>

#include "base/status.h"
#include "base/status_macros.h"
#include "convert/packed_dense.h"
#include "model/dense_layers.h"

namespace ks {
namespace {

using Floats = std::vector<float>;

// One packed batch on its way through the encoder.
class Run {
 public:
  Run(const ClassifierSpec& spec, EncoderWeights& weights, const PackedBatch& batch, const KernelTable& kernels,
      const DenseHook& hook)
      : spec_(spec), encoder_(spec.encoder), weights_(weights), batch_(batch), kernels_(kernels), hook_(hook) {}

  absl::StatusOr<Logits> Compute() {
    rows_ = batch_.tokens();
    Embed();
    for (int i = 0; i < encoder_.layers; ++i) KS_RETURN_IF_ERROR(Layer(i));
    return Classify();
  }

 private:
  int width() const { return encoder_.hidden_size; }

  void Embed() {
    std::vector<int32_t> positions(batch_.input_ids.size());
    for (int i = 0; i < batch_.sequences(); ++i) {
      std::iota(positions.begin() + batch_.offsets[i], positions.begin() + batch_.offsets[i + 1], 0);
    }
    hidden_.resize(positions.size() * static_cast<size_t>(width()));
    const int32_t* type_ids =
        encoder_.type_vocab_size > 0 && !batch_.token_type_ids.empty() ? batch_.token_type_ids.data() : nullptr;
    const auto fill = [&]<typename T>(const EmbeddingTables<T>& tables) {
      return BasicEmbedArgs<T>{.ids = batch_.input_ids.data(),
                               .type_ids = type_ids,
                               .positions = positions.data(),
                               .word = tables.word,
                               .type = tables.type,
                               .position = tables.position,
                               .out = hidden_.data(),
                               .rows = rows_,
                               .width = width()};
    };
    if (const auto* floats = std::get_if<EmbeddingTables<float>>(&weights_.tables)) {
      kernels_.embed(fill(*floats));
    } else {
      kernels_.embed_half(fill(std::get<EmbeddingTables<uint16_t>>(weights_.tables)));
    }
    Norm(weights_.embedding_norm, nullptr);
  }

  // hidden_ = norm(hidden_ + residual)
  void Norm(const NormWeights& norm, const float* residual) {
    kernels_.layer_norm({.x = hidden_.data(),
                         .residual = residual,
                         .gamma = norm.gamma,
                         .beta = norm.beta,
                         .eps = encoder_.layer_norm_eps,
                         .out = hidden_.data(),
                         .rows = rows_,
                         .width = width()});
  }

  absl::Status Layer(int index) {
    const int first = kDensePerLayer * index;
    const auto over_bytes = [&](int dense) {
      return std::holds_alternative<Int8Weights>(weights_.dense[first + dense].form);
    };
    KS_ASSIGN_OR_RETURN(const Floats qkv, Dense(first + kQkv, hidden_));
    const bool first_only = index == encoder_.layers - 1;
    if (first_only) {
      hidden_ = FirstTokens(hidden_);
      rows_ = batch_.sequences();
    }
    Floats context(hidden_.size());
    Attend(qkv, over_bytes(kQkv), first_only, context);

    Floats residual = std::move(hidden_);
    KS_ASSIGN_OR_RETURN(hidden_, Dense(first + kAttentionOutput, context));
    Norm(weights_.norms[index].attention, residual.data());

    KS_ASSIGN_OR_RETURN(Floats inner, Dense(first + kFfnIn, hidden_));
    const auto gelu = over_bytes(kFfnIn) ? kernels_.coarse_gelu : kernels_.gelu;
    gelu(inner.data(), inner.data(), inner.size());
    residual = std::move(hidden_);
    KS_ASSIGN_OR_RETURN(hidden_, Dense(first + kFfnOut, inner));
    Norm(weights_.norms[index].ffn, residual.data());
    return absl::OkStatus();
  }

  // Over bytes where queries, keys and values come from bytes.
  void Attend(const Floats& qkv, bool over_bytes, bool first_only, Floats& context) const {
    const size_t columns = static_cast<size_t>(width());
    const AttentionArgs args = {.q = qkv.data(),
                                .k = qkv.data() + columns,
                                .v = qkv.data() + 2 * columns,
                                .row_stride = 3 * columns,
                                .offsets = batch_.offsets.data(),
                                .sequences = batch_.sequences(),
                                .heads = encoder_.heads,
                                .head_size = encoder_.head_size(),
                                .first_only = first_only,
                                .out = context.data(),
                                .out_stride = columns};
    if (over_bytes) {
      RunAll(Int8AttentionTasks(kernels_, args));
    } else {
      RunAll(AttentionTasks(kernels_, args));
    }
  }

  Floats FirstTokens(const Floats& x) const {
    const size_t columns = static_cast<size_t>(width());
    Floats first(static_cast<size_t>(batch_.sequences()) * columns);
    for (int i = 0; i < batch_.sequences(); ++i) {
      const size_t row = static_cast<size_t>(batch_.offsets[i]);
      std::memcpy(first.data() + i * columns, x.data() + row * columns, columns * sizeof(float));
    }
    return first;
  }

  absl::StatusOr<Floats> Dense(int index, const Floats& x) {
    DenseWeights& weights = weights_.dense[index];
    if (hook_) KS_RETURN_IF_ERROR(hook_(index, x, rows_, weights));
    return Apply(weights, x);
  }

  Floats Apply(const DenseWeights& weights, const Floats& x) const {
    Floats out(static_cast<size_t>(rows_) * static_cast<size_t>(weights.outputs));
    if (const auto* int8 = std::get_if<Int8Weights>(&weights.form)) {
      ApplyInt8(*int8, x, rows_, out.data(), kernels_);
      return out;
    }
    int column = 0;
    for (const DenseWeights::Part& part : std::get<std::vector<DenseWeights::Part>>(weights.form)) {
      kernels_.linear({.x = x.data(),
                       .x_stride = static_cast<size_t>(weights.inputs),
                       .weight = part.weight,
                       .bias = part.bias,
                       .out = out.data() + column,
                       .out_stride = static_cast<size_t>(weights.outputs),
                       .rows = rows_,
                       .inputs = weights.inputs,
                       .outputs = part.outputs});
      column += part.outputs;
    }
    return out;
  }

  // From the first tokens, which are all that the last layer left.
  absl::StatusOr<Logits> Classify() const {
    Floats pooled = Apply(weights_.pooler, hidden_);
    const auto activate = encoder_.pooling == Pooling::kTanh ? kernels_.tanh : kernels_.relu;
    activate(pooled.data(), pooled.data(), pooled.size());
    Logits logits = {
        .values = Apply(weights_.classifier, pooled), .sequences = batch_.sequences(), .classes = spec_.num_labels()};
    for (size_t i = 0; i < logits.values.size(); ++i) {
      if (std::isfinite(logits.values[i])) continue;
      return DataLoss("logit ", i % static_cast<size_t>(logits.classes), ": expected a finite number, found ",
                      logits.values[i]);
    }
    return logits;
  }

  const ClassifierSpec& spec_;
  const EncoderSpec& encoder_;
  EncoderWeights& weights_;
  const PackedBatch& batch_;
  const KernelTable& kernels_;
  const DenseHook& hook_;
  int rows_ = 0;   // tokens, or sequences after the last attention
  Floats hidden_;  // [rows_, H]
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

absl::Status Check(const EncoderSpec& encoder, const PackedBatch& batch) {
  for (int i = 0; i < batch.sequences(); ++i) {
    const int tokens = batch.offsets[i + 1] - batch.offsets[i];
    if (tokens < 1 || tokens > encoder.max_positions) {
      return InvalidArgument("expected 1 to ", encoder.max_positions, " tokens, found ", tokens);
    }
  }
  KS_RETURN_IF_ERROR(CheckIds(batch.input_ids, encoder.vocab_size, "ids"));
  if (encoder.type_vocab_size == 0 || batch.token_type_ids.empty()) return absl::OkStatus();
  if (batch.token_type_ids.size() != batch.input_ids.size()) {
    return InvalidArgument("expected ", batch.input_ids.size(), " type ids, one for each token, found ",
                           batch.token_type_ids.size());
  }
  return CheckIds(batch.token_type_ids, encoder.type_vocab_size, "type_ids");
}

// Collects tensors by name and size; the first error stays.
class Finder {
 public:
  explicit Finder(const TensorLookup& tensors) : tensors_(tensors) {}

  const float* Find(const std::string& name, int64_t rows, int64_t columns = 1) {
    const std::span<const float> values = tensors_(name);
    if (values.size() == static_cast<size_t>(rows * columns)) return values.data();
    if (!status_.ok()) return nullptr;
    status_ = values.empty()
                  ? NotFound("tensor ", name, " is missing")
                  : InvalidArgument("tensor ", name, ": expected ", rows * columns, " values, found ", values.size());
    return nullptr;
  }

  NormWeights Norm(const NormNames& names, int width) { return {Find(names.weight, width), Find(names.bias, width)}; }

  DenseWeights Dense(std::span<const LinearNames> parts, int outputs, int inputs) {
    std::vector<DenseWeights::Part> found;
    const int rows = outputs / static_cast<int>(parts.size());
    for (const LinearNames& part : parts) {
      found.push_back({Find(part.weight, rows, inputs), Find(part.bias, rows), rows});
    }
    return {.form = std::move(found), .inputs = inputs, .outputs = outputs};
  }

  const absl::Status& status() const { return status_; }

 private:
  const TensorLookup& tensors_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<EncoderWeights> Fp32EncoderWeights(const ClassifierSpec& spec, const TensorLookup& tensors) {
  const EncoderSpec& encoder = spec.encoder;
  const WeightNames names = NamesOfWeights(spec);
  const int width = encoder.hidden_size;
  Finder finder(tensors);
  EncoderWeights weights;
  EmbeddingTables<float> tables = {.word = finder.Find(names.word_embeddings, encoder.vocab_size, width),
                                   .position = finder.Find(names.position_embeddings, encoder.max_positions, width)};
  if (encoder.type_vocab_size > 0) {
    tables.type = finder.Find(names.token_type_embeddings, encoder.type_vocab_size, width);
  }
  weights.tables = tables;
  weights.embedding_norm = finder.Norm(names.embedding_norm, width);
  for (const DenseLayer& layer : DenseLayers(spec)) {
    weights.dense.push_back(finder.Dense(layer.parts, layer.outputs, layer.inputs));
  }
  for (const LayerNames& layer : names.layers) {
    weights.norms.push_back({finder.Norm(layer.attention_norm, width), finder.Norm(layer.ffn_norm, width)});
  }
  weights.pooler = finder.Dense({&names.pooler, 1}, width, width);
  weights.classifier = finder.Dense({&names.classifier, 1}, spec.num_labels(), width);
  KS_RETURN_IF_ERROR(finder.status());
  return weights;
}

absl::StatusOr<Logits> RunEncoder(const ClassifierSpec& spec, EncoderWeights& weights, const PackedBatch& batch,
                                  const KernelTable& kernels, const DenseHook& hook) {
  KS_RETURN_IF_ERROR(Check(spec.encoder, batch));
  return Run(spec, weights, batch, kernels, hook).Compute();
}

}  // namespace ks
