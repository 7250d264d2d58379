// The contract between the engine and whatever runs the model.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "backend/batch.h"

namespace ks {

// What the scheduler must know of a backend; constant over its life.
struct BackendFacts {
  std::string name;                 // "onnx", "pytorch", "fake": the value of the metrics' `backend` label
  std::string precision;            // "fp32" or "int8"
  int max_tokens = 0;               // of one run, T
  int max_tokens_per_sequence = 0;  // the model's window
  int classes = 0;                  // C
  int pad_id = 0;
  bool pads = false;          // a run costs B * longest instead of T
  int threads = 1;            // cores that one run uses
  int least_run_tokens = 32;  // a run of fewer costs more for each: it reads all the weights whatever it has
};

// One loaded model with its own scratch memory. One call at a time per object; different objects may run in parallel
// and share the package's weights.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual const BackendFacts& facts() const = 0;

  // Runs the classifier once over a packed batch.
  //
  // Shapes as in batch.h; returns logits float32 [B, C]. Requires 1 <= B <= T <= facts().max_tokens, every sequence of
  // 1 to facts().max_tokens_per_sequence tokens, every id in the vocabulary.
  //
  // Cost grows with T (with B * longest where facts().pads). Blocks for the whole forward pass; does not observe
  // deadlines: the batcher does that before the call. `batch` is only read during the call; the result owns its memory.
  //
  // Errors:
  //   kInvalidArgument    T, B, a length or an id outside the ranges above (a bug in the batcher); the message gives
  //                       the numbers, never the ids' text
  //   kResourceExhausted  the runtime could not allocate; the caller may retry with a smaller batch
  //   kInternal           the runtime failed, or returned a shape other than [B, C], or a NaN; the message carries the
  //                       runtime's text
  virtual absl::StatusOr<Logits> Run(const PackedBatch& batch) = 0;

  // What RunTraced shows of the inside: `tap` is "embeddings" (behind their norm), "layer.0", "layer.1", .. (behind the
  // layer's second norm), in this order; `hidden` float32 [T, width], valid during the call. The last layer may be left
  // incomplete by a backend that computes only what the head needs: then `hidden` is [B, width], the first token of
  // each sequence.
  struct Tap {
    std::string_view tap;
    std::span<const float> hidden;
    int width = 0;
  };
  using TapSink = std::function<void(const Tap&)>;

  // Run, with the hidden states on the way shown to `sink` on the calling thread. Slower, and may open a second model
  // on its first call: for comparing backends. The logits are those of Run.
  // Errors: as Run; kUnimplemented where the backend cannot.
  virtual absl::StatusOr<Logits> RunTraced(const PackedBatch& batch, const TapSink& sink);
};

// Checks what every group of backends is opened with: at least one of them, one thread a run, and room for a sequence of
// the model's `window`. Error: kInvalidArgument with the number.
absl::Status CheckGroup(int count, int threads, int max_tokens, int window);

// Checks what every Run requires of its batch, for the implementations of Backend. `vocab_size` bounds the ids; pass 0
// where the implementation has no vocabulary.
absl::Status CheckBatch(const PackedBatch& batch, const BackendFacts& facts, int vocab_size);

// Checks the token types of a batch that CheckBatch took, for implementations with a model: below type_vocab_size, and
// zeros alone where that is 0, since a model without token types takes zeros as well as none. Error: kInvalidArgument.
absl::Status CheckTokenTypes(const PackedBatch& batch, int type_vocab_size);

}  // namespace ks
