// Runs a package on CPU with ONNX Runtime.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/backend.h"
#include "kernels/dispatch.h"
#include "package/package.h"

namespace ks {

class OnnxSession;

struct OnnxOptions {
  std::string precision = "fp32";  // one of the manifest's
  // Cores that one run uses, the caller's included. More than one for int8 is a team (base/team.h) of the session's
  // own, which takes one run at a time: then a group is of one.
  int threads = 1;
  int max_tokens = 512;  // of one run; at least the model's window
  // Lets the runtime copy the weights into the layout of its matrix products while opening, instead of anew in every
  // run. Default model, one core of a Zen 4: opening and a first answer of 16 tokens cost 33 ms of CPU with and 16
  // without, every later run 3 ms less (5 instead of 8 at 16 tokens, 28 instead of 31 at 128). The memory in use is the
  // same, 75 MB, but 42 of them are the process's own instead of pages of the file. So: true for a server, false for a
  // handful of texts.
  bool prepack = true;
  // The instruction set of our own operators, which all give the same bits; the best that the CPU has where none is
  // named. The runtime's operators choose for themselves.
  std::optional<IsaLevel> isa = std::nullopt;
};

class OnnxBackend final : public Backend {
 public:
  // `count` backends for as many threads. They share one session, so one copy of everything; a run takes
  // `options.threads` cores.
  //
  // Errors: kInvalidArgument (an option out of range, with the limit); kFailedPrecondition (a precision that the
  // package does not have, with those it has); kNotFound, kDataLoss (a file of the package that is missing or damaged,
  // named); kResourceExhausted; kInternal.
  static absl::StatusOr<std::vector<std::unique_ptr<Backend>>> OpenGroup(std::shared_ptr<const Package> package,
                                                                         const OnnxOptions& options, int count);

  // A group of one.
  static absl::StatusOr<std::unique_ptr<Backend>> Open(std::shared_ptr<const Package> package,
                                                       const OnnxOptions& options);

  // A group from a serving graph and what its package would say of it.
  static absl::StatusOr<std::vector<std::unique_ptr<Backend>>> OpenGraph(const std::filesystem::path& graph,
                                                                         const ClassifierSpec& spec, int window,
                                                                         const OnnxOptions& options, int count);

  ~OnnxBackend() override;
  const BackendFacts& facts() const override { return facts_; }
  absl::StatusOr<Logits> Run(const PackedBatch& batch) override;

  // The first call opens the graph again, with its hidden states as outputs, for this backend alone. It may then fail
  // as OpenGroup does.
  absl::StatusOr<Logits> RunTraced(const PackedBatch& batch, const TapSink& sink) override;

 private:
  struct Source;
  OnnxBackend(BackendFacts facts, std::shared_ptr<const Source> source, std::shared_ptr<const OnnxSession> session);

  // `batch` as the session takes it: checked, with token types. The view lives as long as the batch and this object.
  absl::StatusOr<PackedBatch> Complete(const PackedBatch& batch) const;

  const BackendFacts facts_;
  const std::shared_ptr<const Source> source_;
  const std::shared_ptr<const OnnxSession> session_;
  std::shared_ptr<const OnnxSession> traced_session_;  // once RunTraced was called
  const std::vector<int32_t> zeros_;                   // the token types of a batch without, [max_tokens]
};

// OnnxOptions::isa by name; nothing for "auto". kInvalidArgument, listing what this CPU has, for a name that is no
// instruction set.
absl::StatusOr<std::optional<IsaLevel>> IsaOption(std::string_view name);

// Version of the library that is loaded, e.g. "1.32.0".
std::string_view OnnxRuntimeVersion();

}  // namespace ks
