// One graph, ready to run. Private to backend/onnx.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/backend.h"
#include "backend/batch.h"
#include "backend/onnx/operators.h"
#include "backend/onnx/ort.h"
#include "base/team.h"
#include "graph/tapped_graph.h"
#include "kernels/dispatch.h"
#include "model/classifier_spec.h"

namespace ks {

struct SessionOptions {
  // Cores that one run uses: of our operators, as a team, or of all, as the runtime's pool. One of the two is 1.
  int team = 1;
  int pool_threads = 1;
  bool prepack = true;  // see OnnxOptions
  IsaLevel isa = BestIsa();
};

// A session of ONNX Runtime over a serving graph (graph/encoder_graph.h). An idle one uses no CPU.
class OnnxSession {
 public:
  // Opens `graph`, whose weights lie beside it. Links are followed once, here; the files must not change afterwards.
  //
  // Errors: kNotFound (no such graph); kDataLoss (damaged, weights missing or too short, or not a serving graph of
  // `spec`); kResourceExhausted; kInternal. Each names the graph's file.
  static absl::StatusOr<std::shared_ptr<const OnnxSession>> Open(const std::filesystem::path& graph,
                                                                 const ClassifierSpec& spec,
                                                                 const SessionOptions& options);

  // The same with the hidden states as further outputs (graph/tapped_graph.h), for RunTraced.
  static absl::StatusOr<std::shared_ptr<const OnnxSession>> OpenTapped(const std::filesystem::path& graph,
                                                                       const ClassifierSpec& spec,
                                                                       const SessionOptions& options);

  // Requires what CheckBatch checks, with token types for every token where the model has them. Each call works on its
  // caller's thread and on those of SessionOptions. Safe from many threads at a time, unless there is a team: then one
  // call at a time. Errors: kResourceExhausted, kInternal as Backend::Run.
  absl::StatusOr<Logits> Run(const PackedBatch& batch) const;

  // As Run, and as Backend::RunTraced. Requires OpenTapped.
  absl::StatusOr<Logits> RunTraced(const PackedBatch& batch, const Backend::TapSink& sink) const;

 private:
  explicit OnnxSession(int team) : team_(team) {}

  static absl::StatusOr<std::shared_ptr<const OnnxSession>> Open(const std::filesystem::path& graph, bool tapped,
                                                                 const ClassifierSpec& spec,
                                                                 const SessionOptions& options);
  absl::Status CheckInputs() const;
  // The logits first, then the taps.
  absl::StatusOr<std::vector<OrtHandle<OrtValue>>> Outputs(const PackedBatch& batch) const;
  absl::StatusOr<Logits> ReadLogits(const OrtValue* value, int sequences) const;
  absl::StatusOr<OrtHandle<OrtValue>> View(std::span<const int32_t> values) const;

  // In the order of their needs: the session goes first.
  mutable Team team_;
  std::shared_ptr<OrtEnv> environment_;
  std::unique_ptr<Operators> operators_;
  OrtHandle<OrtMemoryInfo> memory_;
  OrtHandle<OrtSession> session_;
  bool has_token_types_ = false;
  int classes_ = 0;
  std::vector<HiddenState> taps_;  // where the graph has them
};

}  // namespace ks
