// The host's side of the plugin: finds the weights, checks and pads the batch, puts the answers in their places.
// Tested by torch_backend_test.cc.
#include "backend/torch/torch_backend.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "backend/torch/padding.h"
#include "backend/torch/torch_plugin.h"
#include "base/status_macros.h"
#include "model/weights.h"
#include "package/fp32_weights.h"

namespace ks {
namespace {

// TorchSpec over `weights`. Owns the layers, so it is filled in place and stays there.
struct OwnedTorchSpec {
  OwnedTorchSpec(const ClassifierSpec& from, const Fp32Weights& weights) {
    const EncoderSpec& encoder = from.encoder;
    const WeightNames names = NamesOfWeights(from);
    const auto linear = [&](const LinearNames& of) {
      return TorchLinear{.weight = weights.Values(of.weight).data(), .bias = weights.Values(of.bias).data()};
    };
    const auto norm = [&](const NormNames& of) {
      return TorchNorm{.weight = weights.Values(of.weight).data(), .bias = weights.Values(of.bias).data()};
    };
    for (const LayerNames& layer : names.layers) {
      layers.push_back({.query = linear(layer.query),
                        .key = linear(layer.key),
                        .value = linear(layer.value),
                        .attention_output = linear(layer.attention_output),
                        .attention_norm = norm(layer.attention_norm),
                        .ffn_in = linear(layer.ffn_in),
                        .ffn_out = linear(layer.ffn_out),
                        .ffn_norm = norm(layer.ffn_norm)});
    }
    const bool has_types = !names.token_type_embeddings.empty();
    spec = {.vocab_size = encoder.vocab_size,
            .hidden_size = encoder.hidden_size,
            .intermediate_size = encoder.intermediate_size,
            .layers = encoder.layers,
            .heads = encoder.heads,
            .max_positions = encoder.max_positions,
            .type_vocab_size = encoder.type_vocab_size,
            .classes = from.num_labels(),
            .pooler_is_relu = encoder.pooling == Pooling::kRelu ? 1 : 0,
            .layer_norm_eps = encoder.layer_norm_eps,
            .word_embeddings = weights.Values(names.word_embeddings).data(),
            .position_embeddings = weights.Values(names.position_embeddings).data(),
            .token_type_embeddings = has_types ? weights.Values(names.token_type_embeddings).data() : nullptr,
            .embedding_norm = norm(names.embedding_norm),
            .layer = layers.data(),
            .pooler = linear(names.pooler),
            .classifier = linear(names.classifier)};
  }
  OwnedTorchSpec(const OwnedTorchSpec&) = delete;
  OwnedTorchSpec& operator=(const OwnedTorchSpec&) = delete;

  TorchSpec spec;
  std::vector<TorchLayer> layers;
};

absl::Status ToStatus(TorchCode code, const TorchPlugin& plugin) {
  if (code == kTorchOk) return absl::OkStatus();
  const std::string message = Cat("LibTorch: ", plugin.last_error());
  return code == kTorchNoMemory ? ResourceExhausted(message) : Internal(message);
}

}  // namespace

// The plugin's model and the weights it computes on.
class TorchBackend::Model {
 public:
  static absl::StatusOr<std::shared_ptr<const Model>> Open(const TorchPlugin& plugin, const ClassifierSpec& spec,
                                                           Fp32Weights weights, int threads) {
    std::shared_ptr<Model> model(new Model(plugin, spec, std::move(weights)));
    const OwnedTorchSpec torch_spec(spec, model->weights_);
    KS_RETURN_IF_ERROR(ToStatus(plugin.create(&torch_spec.spec, threads, &model->model_), plugin));
    return model;
  }
  ~Model() {
    if (model_ != nullptr) plugin_.destroy(model_);
  }
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const EncoderSpec& encoder() const { return spec_.encoder; }

  // `logits` [b, C]; `taps` [1 + layers, b, l, H] or empty.
  absl::Status Run(const PaddedBatch& batch, std::span<float> logits, std::span<float> taps) const {
    const bool has_types = spec_.encoder.type_vocab_size > 0;
    const TorchBatch torch_batch = {.sequences = static_cast<int32_t>(batch.sequences.size()),
                                    .length = batch.length,
                                    .input_ids = batch.input_ids.data(),
                                    .token_type_ids = has_types ? batch.token_type_ids.data() : nullptr,
                                    .lengths = batch.lengths.data()};
    return ToStatus(plugin_.run(model_, &torch_batch, logits.data(), taps.empty() ? nullptr : taps.data()), plugin_);
  }

 private:
  Model(const TorchPlugin& plugin, const ClassifierSpec& spec, Fp32Weights weights)
      : plugin_(plugin), spec_(spec), weights_(std::move(weights)) {}

  const TorchPlugin plugin_;
  const ClassifierSpec spec_;
  const Fp32Weights weights_;
  TorchModel* model_ = nullptr;
};

TorchBackend::TorchBackend(BackendFacts facts, std::shared_ptr<const Model> model)
    : facts_(std::move(facts)), model_(std::move(model)) {}

TorchBackend::~TorchBackend() = default;

absl::StatusOr<std::vector<std::unique_ptr<Backend>>> TorchBackend::OpenGroup(std::shared_ptr<const Package> package,
                                                                              const TorchOptions& options, int count) {
  const Manifest& manifest = package->manifest();
  KS_RETURN_IF_ERROR(CheckGroup(count, options.threads, options.max_tokens, manifest.window));
  KS_ASSIGN_OR_RETURN(Fp32Weights weights, Fp32Weights::Open(package->directory(), manifest.spec));
  KS_ASSIGN_OR_RETURN(const TorchPlugin plugin,
                      OpenTorchPlugin(options.plugin.empty() ? DefaultTorchPluginPath() : options.plugin));
  KS_ASSIGN_OR_RETURN(const std::shared_ptr<const Model> model,
                      Model::Open(plugin, manifest.spec, std::move(weights), options.threads));
  const BackendFacts facts = {.name = "pytorch",
                              .precision = "fp32",
                              .max_tokens = options.max_tokens,
                              .max_tokens_per_sequence = manifest.window,
                              .classes = manifest.spec.num_labels(),
                              .pad_id = manifest.spec.encoder.pad_id,
                              .pads = true,
                              .threads = options.threads};
  std::vector<std::unique_ptr<Backend>> group;
  for (int i = 0; i < count; ++i) group.push_back(std::unique_ptr<Backend>(new TorchBackend(facts, model)));
  return group;
}

absl::StatusOr<Logits> TorchBackend::Run(const PackedBatch& batch) { return RunPadded(batch, {}); }

absl::StatusOr<Logits> TorchBackend::RunTraced(const PackedBatch& batch, const TapSink& sink) {
  const EncoderSpec& encoder = model_->encoder();
  const size_t tap_floats = batch.input_ids.size() * static_cast<size_t>(encoder.hidden_size);
  std::vector<float> taps(tap_floats * (1 + static_cast<size_t>(encoder.layers)));
  KS_ASSIGN_OR_RETURN(Logits logits, RunPadded(batch, taps));
  for (int i = 0; i <= encoder.layers; ++i) {
    const std::string name = i == 0 ? "embeddings" : Cat("layer.", i - 1);
    const std::span<const float> hidden = std::span(taps).subspan(static_cast<size_t>(i) * tap_floats, tap_floats);
    sink({.tap = name, .hidden = hidden, .width = encoder.hidden_size});
  }
  return logits;
}

absl::StatusOr<Logits> TorchBackend::RunPadded(const PackedBatch& batch, std::span<float> taps) const {
  const EncoderSpec& encoder = model_->encoder();
  KS_RETURN_IF_ERROR(CheckBatch(batch, facts_, encoder.vocab_size));
  KS_RETURN_IF_ERROR(CheckTokenTypes(batch, encoder.type_vocab_size));
  const auto classes = static_cast<size_t>(facts_.classes);
  Logits logits = {.values = std::vector<float>(static_cast<size_t>(batch.sequences()) * classes),
                   .sequences = batch.sequences(),
                   .classes = facts_.classes};
  const size_t tap_count = taps.empty() ? 0 : 1 + static_cast<size_t>(encoder.layers);
  std::vector<float> padded_logits, padded_taps;
  for (const PaddedBatch& padded : PadByLength(batch, encoder.pad_id)) {
    const size_t padded_tap_floats = padded.input_ids.size() * static_cast<size_t>(encoder.hidden_size);
    padded_logits.resize(padded.sequences.size() * classes);
    padded_taps.resize(tap_count * padded_tap_floats);
    KS_RETURN_IF_ERROR(model_->Run(padded, padded_logits, padded_taps));

    for (size_t row = 0; row < padded.sequences.size(); ++row) {
      const std::span<const float> values = std::span(padded_logits).subspan(row * classes, classes);
      if (std::ranges::any_of(values, [](float value) { return std::isnan(value); })) {
        return Internal("the logits of sequence ", padded.sequences[row], " are not numbers");
      }
      std::ranges::copy(values, logits.values.begin() + padded.sequences[row] * facts_.classes);
    }
    for (size_t i = 0; i < tap_count; ++i) {
      const size_t tap_floats = taps.size() / tap_count;
      UnpadRows(padded, std::span(padded_taps).subspan(i * padded_tap_floats, padded_tap_floats), encoder.hidden_size,
                batch.offsets, taps.subspan(i * tap_floats, tap_floats));
    }
  }
  return logits;
}

}  // namespace ks
