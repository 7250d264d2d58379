// The plugin: the forward pass in ATen calls, as PyTorch's own modules make them, behind the C functions of plugin.h.
//
// Not part of any room's library, and uses none. One source, and single operators' headers: a LibTorch header costs
// seconds to compile.
//
// Tested by torch_backend_test.cc.
#include "backend/torch/plugin.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/tanh.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <vector>

#define KS_EXPORT __attribute__((visibility("default")))

namespace {

// ATen takes no pointer to const; weights and ids are read only.
at::Tensor View(const void* data, at::IntArrayRef shape, at::ScalarType type = at::kFloat) {
  return at::from_blob(const_cast<void*>(data), shape, at::TensorOptions(type));
}

struct Linear {
  Linear(const TorchLinear& from, int64_t out, int64_t in)
      : weight(View(from.weight, {out, in})), bias(View(from.bias, {out})) {}
  at::Tensor operator()(const at::Tensor& x) const { return at::linear(x, weight, bias); }

  at::Tensor weight;
  at::Tensor bias;
};

struct Norm {
  Norm(const TorchNorm& from, int64_t hidden, double eps)
      : weight(View(from.weight, {hidden})), bias(View(from.bias, {hidden})), epsilon(eps) {}
  at::Tensor operator()(const at::Tensor& x) const { return at::layer_norm(x, weight.sizes(), weight, bias, epsilon); }

  at::Tensor weight;
  at::Tensor bias;
  double epsilon;
};

struct Layer {
  Layer(const TorchLayer& from, const TorchSpec& spec)
      : heads(spec.heads),
        query(from.query, spec.hidden_size, spec.hidden_size),
        key(from.key, spec.hidden_size, spec.hidden_size),
        value(from.value, spec.hidden_size, spec.hidden_size),
        attention_output(from.attention_output, spec.hidden_size, spec.hidden_size),
        attention_norm(from.attention_norm, spec.hidden_size, spec.layer_norm_eps),
        ffn_in(from.ffn_in, spec.intermediate_size, spec.hidden_size),
        ffn_out(from.ffn_out, spec.hidden_size, spec.intermediate_size),
        ffn_norm(from.ffn_norm, spec.hidden_size, spec.layer_norm_eps) {}

  // [B, L, H] -> [B, L, H]; `mask`, where there is padding, bool [B, 1, 1, L], true where a token is.
  at::Tensor operator()(const at::Tensor& x, const std::optional<at::Tensor>& mask) const {
    const auto by_head = [&](const at::Tensor& projected) {
      return projected.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
    };
    const at::Tensor attended =
        at::scaled_dot_product_attention(by_head(query(x)), by_head(key(x)), by_head(value(x)), mask);
    const at::Tensor joined = attended.transpose(1, 2).reshape(x.sizes());
    const at::Tensor a = attention_norm(x.add(attention_output(joined)));
    return ffn_norm(a.add(ffn_out(at::gelu(ffn_in(a)))));
  }

  int64_t heads;
  Linear query, key, value, attention_output;
  Norm attention_norm;
  Linear ffn_in, ffn_out;
  Norm ffn_norm;
};

// OpenMP's number of threads belongs to the calling thread, so each caller sets its own.
void UseThreads(int threads) {
  thread_local int used = 0;
  if (used == threads) return;
  at::set_num_threads(threads);
  used = threads;
}

thread_local std::string last_error;

TorchCode Fail(TorchCode code, std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  last_error = std::move(message);
  return code;
}

// LibTorch reports by exception, and none may leave a C function.
template <typename Body>
TorchCode WithoutExceptions(Body&& body) {
  try {
    body();
    return kTorchOk;
  } catch (const c10::Error& error) {
    // The CPU's allocator throws no type of its own.
    const std::string message = error.what_without_backtrace();
    const bool no_memory = message.find("can't allocate memory") != std::string::npos;
    return Fail(no_memory ? kTorchNoMemory : kTorchFailed, message);
  } catch (const std::bad_alloc&) {
    return Fail(kTorchNoMemory, "out of memory");
  } catch (const std::exception& error) {
    return Fail(kTorchFailed, error.what());
  } catch (...) {
    return Fail(kTorchFailed, "an exception of unknown type");
  }
}

}  // namespace

struct TorchModel {
  TorchModel(const TorchSpec& spec, int cores)
      : threads(cores),
        words(View(spec.word_embeddings, {spec.vocab_size, spec.hidden_size})),
        positions(View(spec.position_embeddings, {spec.max_positions, spec.hidden_size})),
        embedding_norm(spec.embedding_norm, spec.hidden_size, spec.layer_norm_eps),
        pooler_is_relu(spec.pooler_is_relu != 0),
        pooler(spec.pooler, spec.hidden_size, spec.hidden_size),
        classifier(spec.classifier, spec.classes, spec.hidden_size) {
    if (spec.token_type_embeddings != nullptr) {
      types = View(spec.token_type_embeddings, {spec.type_vocab_size, spec.hidden_size});
    }
    for (int32_t i = 0; i < spec.layers; ++i) layers.emplace_back(spec.layer[i], spec);
  }

  at::Tensor Embed(const TorchBatch& batch) const {
    const std::array<int64_t, 2> shape = {batch.sequences, batch.length};
    at::Tensor x = at::embedding(words, View(batch.input_ids, shape, at::kInt));
    if (types.defined()) x = x.add(at::embedding(types, View(batch.token_type_ids, shape, at::kInt)));
    return embedding_norm(x.add(positions.narrow(0, 0, batch.length)));
  }

  static std::optional<at::Tensor> MaskOf(const TorchBatch& batch) {
    const bool padded = std::any_of(batch.lengths, batch.lengths + batch.sequences,
                                    [&](int32_t length) { return length < batch.length; });
    if (!padded) return std::nullopt;
    const at::Tensor lengths = View(batch.lengths, {batch.sequences, 1, 1, 1}, at::kInt);
    return at::arange(batch.length, at::TensorOptions(at::kInt)).lt(lengths);
  }

  void Run(const TorchBatch& batch, float* logits, float* taps) const {
    const c10::InferenceMode inference;
    UseThreads(threads);
    const auto write = [](const at::Tensor& x, float*& to) {
      std::memcpy(to, x.contiguous().const_data_ptr<float>(), x.nbytes());
      to += x.numel();
    };
    const std::optional<at::Tensor> mask = MaskOf(batch);
    at::Tensor x = Embed(batch);
    if (taps != nullptr) write(x, taps);
    for (const Layer& layer : layers) {
      x = layer(x, mask);
      if (taps != nullptr) write(x, taps);
    }
    const at::Tensor dense = pooler(x.select(1, 0));
    write(classifier(pooler_is_relu ? at::relu(dense) : at::tanh(dense)), logits);
  }

  int threads;
  at::Tensor words;
  at::Tensor positions;
  at::Tensor types;  // undefined where the model has none
  Norm embedding_norm;
  std::vector<Layer> layers;
  bool pooler_is_relu;
  Linear pooler;
  Linear classifier;
};

extern "C" {

KS_EXPORT int32_t ks_torch_abi() { return kTorchPluginAbi; }

KS_EXPORT const char* ks_torch_version() { return KS_LIBTORCH_VERSION; }

KS_EXPORT TorchCode ks_torch_create(const TorchSpec* spec, int32_t threads, TorchModel** model) {
  return WithoutExceptions([&] { *model = new TorchModel(*spec, threads); });
}

KS_EXPORT TorchCode ks_torch_run(const TorchModel* model, const TorchBatch* batch, float* logits, float* taps) {
  return WithoutExceptions([&] { model->Run(*batch, logits, taps); });
}

KS_EXPORT void ks_torch_destroy(TorchModel* model) { delete model; }

KS_EXPORT const char* ks_torch_last_error() { return last_error.c_str(); }

}  // extern "C"
