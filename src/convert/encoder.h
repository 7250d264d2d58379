// The encoder written down once more, straight from its definition, over the kernels: what a package's self-check
// logits come from, and what calibration watches. It shares nothing with the ONNX graphs, so that a mistake in one shows
// in the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/batch.h"
#include "kernels/dispatch.h"
#include "model/classifier_spec.h"

namespace ks {

// A dense layer [N, K]: float32 in parts, whose rows lie one below the other, or int8. Views.
struct DenseWeights {
  struct Part {
    const float* weight = nullptr;  // [outputs, K]
    const float* bias = nullptr;    // [outputs]
    int outputs = 0;
  };
  std::variant<std::vector<Part>, Int8Weights> form;
  int inputs = 0;   // K
  int outputs = 0;  // N
};

struct NormWeights {
  const float* gamma = nullptr;  // [H]
  const float* beta = nullptr;   // [H]
};

template <typename T>
struct EmbeddingTables {
  const T* word = nullptr;      // [vocab_size, H]
  const T* position = nullptr;  // [max_positions, H]
  const T* type = nullptr;      // [type_vocab_size, H]; null where the model has none
};

// Views into tensors that must outlive them.
struct EncoderWeights {
  std::variant<EmbeddingTables<float>, EmbeddingTables<uint16_t>> tables;  // uint16_t: the bits of float16
  NormWeights embedding_norm;
  std::vector<DenseWeights> dense;  // in the order of DenseLayers (model/dense_layers.h)
  struct Norms {
    NormWeights attention;
    NormWeights ffn;
  };
  std::vector<Norms> norms;  // one for each layer
  DenseWeights pooler;
  DenseWeights classifier;
};

// Finds a tensor's float32 values by its Hugging Face name (model/weights.h); an empty span where there is none. The
// values must live as long as what is made of them.
using TensorLookup = std::function<std::span<const float>(std::string_view name)>;

// All in float32. Errors: kNotFound for a missing tensor, by name; kInvalidArgument for one of another size than the
// spec asks for, with both numbers.
absl::StatusOr<EncoderWeights> Fp32EncoderWeights(const ClassifierSpec& spec, const TensorLookup& tensors);

// Told of each dense layer before it is computed: its number in EncoderWeights::dense, its input float32 [rows, K], and
// the layer itself, which it may exchange for another one of the same shape. An error ends the run.
using DenseHook = std::function<absl::Status(int dense, std::span<const float> x, int rows, DenseWeights& weights)>;

// The logits float32 [B, C] of a packed batch. The same bits for a sequence in every batch, on every machine and with
// every `kernels`. After its attention the last layer goes on with the first token of each sequence alone, as nothing
// else reaches the head: its last three dense layers see B rows.
//
// `weights` changes only where the hook changes it. Runs on the calling thread, some milliseconds for each 100 tokens
// of a small model, about 100 times as long on a CPU without AVX2; needs 4 * (4 H + F) bytes a token.
//
// Errors: kInvalidArgument for a sequence of 0 or more than max_positions tokens, an id or a type id outside its range;
// kDataLoss where a logit is NaN or infinite: the weights cannot be right.
absl::StatusOr<Logits> RunEncoder(const ClassifierSpec& spec, EncoderWeights& weights, const PackedBatch& batch,
                                  const KernelTable& kernels = BestKernels(), const DenseHook& hook = nullptr);

}  // namespace ks
