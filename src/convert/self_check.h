// The texts bundled for the self-check, and the logits that a package must give for them.
//
// `convert` computes the logits with the project's own kernels, whose bits do not depend on the machine, and writes
// them into the manifest; a server compares its backend's answers with them before it says that it is ready.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "kernels/dispatch.h"
#include "model/classifier_spec.h"

namespace ks {

// A few short texts of our own, among them characters beyond ASCII, and one of more than 100 tokens. Never empty.
std::span<const std::string_view> SelfCheckTexts();

// Finds a tensor's float32 values by its Hugging Face name (model/weights.h); an empty span where there is none. The
// values must live until the call that uses the lookup returns.
using TensorLookup = std::function<std::span<const float>(std::string_view name)>;

// The logits of one sequence, from the plain definition of the encoder in float32: embeddings, post-norm layers,
// pooling of the first token, head. The same bits on every machine and with every `kernels`.
//
// Shapes (T = tokens, C = spec.num_labels()):
//   ids       int32   [T]  special tokens included; 1 <= T <= spec.encoder.max_positions
//   type_ids  int32   [T]  or empty: all 0; ignored where the model has no token types
//   returned  float32 [C]
// Runs on the calling thread, some milliseconds for each 100 tokens of a small model, about 100 times as long on a CPU
// without AVX2. Safe from any thread.
//
// Errors:
//   kInvalidArgument  T, an id or a type id outside its range, or a tensor of another size than the spec asks for; the
//                     message gives both numbers
//   kNotFound         a tensor that the spec asks for is missing, by name
//   kDataLoss         a logit is NaN or infinite: the weights cannot be right
absl::StatusOr<std::vector<float>> ReferenceLogits(const ClassifierSpec& spec, const TensorLookup& tensors,
                                                   std::span<const int32_t> ids, std::span<const int32_t> type_ids,
                                                   const KernelTable& kernels = BestKernels());

}  // namespace ks
