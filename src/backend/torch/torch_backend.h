// Runs a package's fp32 weights on CPU with PyTorch (LibTorch): the reference that conversions are held against.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/backend.h"
#include "package/package.h"

namespace ks {

struct TorchOptions {
  int threads = 1;                    // cores that one run uses, the caller's included
  int max_tokens = 512;               // of one run; at least the model's window
  std::filesystem::path plugin = {};  // libkubesentiment_torch.so; empty: DefaultTorchPluginPath()
};

// Computes in fp32 whatever precisions the package has, on model.safetensors as it is mapped. Batches are padded inside,
// in rectangles of similar lengths. The same batch gives the same logits in every run with as many threads; in another
// batch a text's may differ in the last bits.
class TorchBackend final : public Backend {
 public:
  // `count` backends for as many threads; they share weights and plugin, and no lock.
  //
  // Errors: kInvalidArgument (an option out of range, with the limit); kFailedPrecondition (no plugin, saying what to
  // install; a plugin of another version); kNotFound, kDataLoss (model.safetensors missing, damaged or of another
  // model); kResourceExhausted; kInternal.
  static absl::StatusOr<std::vector<std::unique_ptr<Backend>>> OpenGroup(std::shared_ptr<const Package> package,
                                                                         const TorchOptions& options, int count);

  ~TorchBackend() override;
  const BackendFacts& facts() const override { return facts_; }
  absl::StatusOr<Logits> Run(const PackedBatch& batch) override;
  absl::StatusOr<Logits> RunTraced(const PackedBatch& batch, const TapSink& sink) override;

 private:
  class Model;
  TorchBackend(BackendFacts facts, std::shared_ptr<const Model> model);

  // Runs all rectangles; `taps`, where not empty, is float32 [1 + layers, T, H] and is filled.
  absl::StatusOr<Logits> RunPadded(const PackedBatch& batch, std::span<float> taps) const;

  const BackendFacts facts_;
  const std::shared_ptr<const Model> model_;
};

}  // namespace ks
