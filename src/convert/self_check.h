// The texts bundled for the self-check, and the logits that a package must give for them.
//
// `convert` computes the logits with the project's own kernels, whose bits do not depend on the machine, and writes
// them into the manifest; a server compares its backend's answers with them before it says that it is ready.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/encoder.h"
#include "package/manifest.h"
#include "text/tokenizer.h"

namespace ks {

// A few short texts of our own, among them characters beyond ASCII, and one longer than a block of attention's queries
// (kernels/attention.h). Never empty.
std::span<const std::string_view> SelfCheckTexts();

// The logits of one sequence in float32 (convert/encoder.h).
//
// Shapes (T = tokens, C = spec.num_labels()):
//   ids       int32   [T]  special tokens included; 1 <= T <= spec.encoder.max_positions
//   type_ids  int32   [T]  or empty: all 0; ignored where the model has no token types
//   returned  float32 [C]
// Time and errors as RunEncoder and Fp32EncoderWeights.
absl::StatusOr<std::vector<float>> ReferenceLogits(const ClassifierSpec& spec, const TensorLookup& tensors,
                                                   std::span<const int32_t> ids, std::span<const int32_t> type_ids,
                                                   const KernelTable& kernels = BestKernels());

// The bundled texts with their logits in each of manifest.precisions, by the deterministic kernels on the weights as
// they lie in `directory` (model.safetensors, int8.bin), cut to the window.
// Errors: of the tokenizer, of the files, of RunEncoder.
absl::StatusOr<std::vector<SelfCheck>> MakeSelfChecks(const Manifest& manifest, const Tokenizer& tokenizer,
                                                      const std::filesystem::path& directory);

}  // namespace ks
