// Texts in, labels out: tokenises, admits, queues, runs and activates. Every protocol is a thin translation onto this.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "model/classifier_spec.h"

namespace ks {

class ModelMetrics;
class ServedModel;

// Views: the caller keeps the characters alive and unchanged until the answer. Valid UTF-8 of any length; the limits on
// a text's length belong to serving.
struct TextInput {
  std::string_view text;
  std::optional<std::string_view> pair;
};

// What happens to a text that is longer than the model's window.
enum class LongText {
  kTruncate,  // the head of the text answers; Classification::truncated says so
  kWindows,   // consecutive windows without overlap answer together: the mean of their probabilities (of their logits
             // with activation kNone), weighted by tokens. Not for pairs.
};

struct ClassifyOptions {
  int top_k = 0;                         // so many scores, highest first; 0 = all
  std::optional<Activation> activation;  // instead of the model's
  LongText long_text = LongText::kTruncate;
  TimePoint deadline = TimePoint::max();  // of the engine's clock
  std::string backend;                    // empty: the default one
};

struct LabelScore {
  int label;  // index into the model's labels
  float score;
};

struct Classification {
  std::vector<LabelScore> scores;  // highest first, ties by label index; top_k of them
  std::vector<float> logits;       // [C], before temperature; with windows their weighted mean
  int tokens = 0;                  // that ran, special ones included
  int windows = 1;
  bool truncated = false;
};

struct StageTimes {
  Duration tokenize{0};
  Duration queue{0};  // the longest wait of a part
  Duration infer{0};  // Backend::Run: the sum over the runs that held a part
};

struct ClassifyResult {
  std::vector<Classification> results;  // one for each input, in order
  std::string backend;                  // that answered
  StageTimes times;
};

struct EngineOptions {
  int64_t max_queue_tokens = 131072;  // admitted and unfinished, all requests together
  int max_batch_tokens = 65536;       // of one request
  int run_tokens = 512;               // a worker takes so many at a time; at least the window
  Duration default_deadline = std::chrono::seconds(10);
  Duration stall_timeout = std::chrono::seconds(30);
};

// What /health and /model-info want to know at any moment.
struct EngineState {
  bool draining = false;
  bool stalled = false;  // a worker has been inside one run for longer than the stall timeout
  int64_t queue_tokens = 0;
  double tokens_per_second = 0;  // measured over the last runs; 0 before the first
};

// Owns the queue and the worker threads. All methods are safe from any thread.
class Engine {
 public:
  using Done = std::function<void(absl::StatusOr<ClassifyResult>)>;

  // Starts one worker a backend of `model`. `metrics` and `clock` must outlive the engine.
  // Errors: kInvalidArgument naming both settings where a legal request could never run (queue < batch, run < window).
  static absl::StatusOr<std::unique_ptr<Engine>> Create(std::shared_ptr<const ServedModel> model,
                                                        const EngineOptions& options, ModelMetrics& metrics,
                                                        const Clock& clock);
  // Drains without a limit, then joins the workers.
  virtual ~Engine() = default;

  // Classifies all inputs or none. Tokenises on the calling thread (bounded work for each text: it stops at the window,
  // except with kWindows), admits all tokens at once or refuses at once, and calls `done` exactly once: on a worker
  // thread when admitted, otherwise on the calling thread before returning. `done` must not block.
  //
  // Errors, by CodeOf: kInvalidInput (invalid UTF-8, windows with a pair, top_k out of range; the message names the
  // input by index), kBatchEmpty, kBatchTooBig (more than max_batch_tokens), kUnsupportedBackend, kQueueFull (with
  // RetryAfterOf), kDeadlinePassed (at admission if it cannot be met, or while waiting), kDraining, kInferenceFailed.
  virtual void Submit(std::span<const TextInput> inputs, const ClassifyOptions& options, Done done) = 0;

  // The same, blocking.
  absl::StatusOr<ClassifyResult> Classify(std::span<const TextInput> inputs, const ClassifyOptions& options);

  // What admission would say right now to any request with this deadline, before its text is looked at: OK, kQueueFull,
  // kDraining, or kDeadlinePassed. Costs nothing; for refusing before parsing and tokenising.
  virtual absl::Status Precheck(TimePoint deadline) const = 0;

  // Admits nothing from now on, waits until the queue is empty or `timeout` has passed. True if no admitted request was
  // dropped.
  virtual bool Drain(Duration timeout) = 0;

  virtual EngineState state() const = 0;
  virtual const ServedModel& model() const = 0;
  virtual const EngineOptions& options() const = 0;
};

}  // namespace ks
