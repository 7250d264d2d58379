// The C functions of libkubesentiment_torch.so: all that this program and LibTorch share.
//
// The plugin holds its own C++ runtime state, so nothing but C types crosses this line, and the arithmetic alone lives
// beyond it: the host checks, pads and unpads. It is built from this very header; kTorchPluginAbi catches a plugin of
// another version beside the program.
//
// Functions that return a TorchCode leave their message in ks_torch_last_error, for the calling thread.
#pragma once

#include <cstdint>

extern "C" {

enum TorchCode : int32_t {
  kTorchOk = 0,
  kTorchNoMemory = 1,  // memory could not be had; a smaller batch may pass
  kTorchFailed = 2,    // anything else that LibTorch says
};

// Any change to this header increments it.
inline constexpr int32_t kTorchPluginAbi = 1;

// y = x W^T + b: weight float32 [out, in], row-major, and bias [out].
struct TorchLinear {
  const float* weight;
  const float* bias;
};

// float32 [H] each.
struct TorchNorm {
  const float* weight;
  const float* bias;
};

// The computation is that of LayerNames (model/weights.h), whose names these are.
struct TorchLayer {
  TorchLinear query, key, value;  // [H, H]
  TorchLinear attention_output;   // [H, H]
  TorchNorm attention_norm;
  TorchLinear ffn_in;   // [F, H]
  TorchLinear ffn_out;  // [H, F]
  TorchNorm ffn_norm;
};

// A classifier (model/classifier_spec.h) by its sizes and by where its weights lie.
struct TorchSpec {
  int32_t vocab_size;
  int32_t hidden_size;        // H
  int32_t intermediate_size;  // F
  int32_t layers;
  int32_t heads;
  int32_t max_positions;
  int32_t type_vocab_size;  // 0: no token type embeddings
  int32_t classes;          // C
  int32_t pooler_is_relu;   // 1: ReLU (DistilBERT), 0: tanh (BERT)
  float layer_norm_eps;

  const float* word_embeddings;        // [vocab_size, H]
  const float* position_embeddings;    // [max_positions, H]
  const float* token_type_embeddings;  // [type_vocab_size, H], or null
  TorchNorm embedding_norm;
  const TorchLayer* layer;  // [layers]
  TorchLinear pooler;       // [H, H]
  TorchLinear classifier;   // [C, H]
};

// B sequences of up to L tokens, each padded behind its end to L.
struct TorchBatch {
  int32_t sequences;              // B, 1 or more
  int32_t length;                 // L, 1 to max_positions
  const int32_t* input_ids;       // [B, L], below vocab_size; padding included
  const int32_t* token_type_ids;  // [B, L], below type_vocab_size; null where the model has none
  const int32_t* lengths;         // [B], 1 to L
};

struct TorchModel;

// kTorchPluginAbi as the plugin was built with.
int32_t ks_torch_abi();

// Of LibTorch, e.g. "2.15.0". Static.
const char* ks_torch_version();

// Makes `*model` over the spec's weights without copying them: they must outlive it. Its runs take `threads` cores,
// 1 or more, the caller's included.
TorchCode ks_torch_create(const TorchSpec* spec, int32_t threads, TorchModel** model);

// One forward pass. Safe from many threads at a time on one model.
//   logits  float32 [B, C], written
//   taps    float32 [1 + layers, B, L, H], written: the hidden states behind the embeddings' norm and each layer;
//           null where nobody wants them
TorchCode ks_torch_run(const TorchModel* model, const TorchBatch* batch, float* logits, float* taps);

void ks_torch_destroy(TorchModel* model);

// Why the last call on this thread failed: one line, valid until the next. Never null.
const char* ks_torch_last_error();

}  // extern "C"
