// Texts in, labels out: tokenises, admits, queues, runs and activates. Every protocol is a thin translation onto this.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "engine/classification.h"
#include "engine/routing.h"

namespace ks {

class Backend;
class ModelMetrics;
class ServedModel;
struct Request;

// What gives throughput: beyond 512 tokens a run gains nothing. A text of the model's window must fit, though.
constexpr int DefaultRunTokens(int window) { return window > 512 ? window : 512; }

struct EngineOptions {
  int64_t max_queue_tokens = 131072;  // admitted and unfinished, all requests together
  int max_batch_tokens = 65536;       // of one request
  int run_tokens = 0;                 // a worker takes so many at a time; at least the window. 0: DefaultRunTokens
  int least_wide_tokens = 1;          // of a text that runs on all cores; CoresLimits
  int least_part_tokens = 0;          // of a run where what waits is divided among cores. 0: what the backends say
  // Where the caller names none. Duration::max() for work without a deadline, as of files.
  Duration default_deadline = std::chrono::seconds(10);
  Duration stall_timeout = std::chrono::seconds(30);
  RoutingOptions routing = {};        // who answers what; by default the model's first group everything
  int64_t max_shadow_tokens = 16384;  // answered and waiting for the shadow; more is dropped and counted
};

// What /health and /model-info want to know at any moment.
struct EngineState {
  bool draining = false;
  bool stalled = false;  // a worker has been inside one run for longer than the stall timeout
  int64_t queue_tokens = 0;
  double tokens_per_second = 0;  // of the default backend, measured over the last runs; 0 before the first
};

// Owns the queue and the worker threads. All methods are safe from any thread.
class Engine {
 public:
  using Done = std::function<void(absl::StatusOr<ClassifyResult>)>;
  // Names an admitted request for Cancel. Expired where it was refused, and some time after it was answered.
  using Ticket = std::weak_ptr<Request>;

  // Starts one worker for each backend object of `model`, named after its group ("onnx-0"), and one for the shadow where
  // there is one. `metrics` must hold the groups of `model` as its backends, in their order; it and `clock` must outlive
  // the engine. Errors: kInvalidArgument naming both settings where a legal request could never run (queue < batch <
  // window, run < window), a model whose backends do not fit its manifest (window, classes, none at all), and what
  // CheckRouting refuses.
  static absl::StatusOr<std::unique_ptr<Engine>> Create(std::shared_ptr<const ServedModel> model,
                                                        const EngineOptions& options, ModelMetrics& metrics,
                                                        const Clock& clock);
  // Drains without a limit, then joins the workers. No method may be running or be called from then on.
  virtual ~Engine() = default;

  // Classifies all inputs or none. Tokenises on the calling thread (bounded work for each text: it stops at the window,
  // except with kWindows), admits all tokens at once or refuses at once, and calls `done` exactly once: when admitted
  // on a thread of the engine's (or that of Drain, where it gives up), otherwise on the calling thread before
  // returning. `done` must not block, and must not destroy the engine; it may submit.
  //
  // Errors, by CodeOf: kInvalidInput (invalid UTF-8, windows with a pair, top_k out of range; the message names the
  // input by index), kBatchEmpty, kBatchTooBig (more than max_batch_tokens), kUnsupportedBackend, kQueueFull (with
  // RetryAfterOf), kDeadlinePassed (at admission if it cannot be met, or while waiting), kDraining, kInferenceFailed, kAbandoned (by Cancel).
  // Refusals are counted in ml_rejected_total here: nobody else does.
  virtual Ticket Submit(std::span<const TextInput> inputs, const ClassifyOptions& options, Done done) = 0;

  // Nobody waits for the answer any more: takes what still waits of the request out of the queue and calls its `done`
  // with kAbandoned, on the calling thread. Where nothing of it waits there is no work to save, and its answer comes as
  // usual. Nothing happens where it has been answered.
  virtual void Cancel(const Ticket& ticket) = 0;

  // The same, blocking. Not from inside a `done`.
  absl::StatusOr<ClassifyResult> Classify(std::span<const TextInput> inputs, const ClassifyOptions& options);

  // What admission would say right now to any request with this deadline, before its text is looked at: OK, kQueueFull
  // (there must be room for a text as long as the window, as far as that is a 256th of the queue), kDraining, or
  // kDeadlinePassed. Costs next to nothing; for refusing before parsing and tokenising, which is counted like a refusal of
  // Submit. max() stands for the default deadline.
  virtual absl::Status Precheck(TimePoint deadline) const = 0;

  // Admits nothing from now on and waits until every admitted request is answered (not for the shadow: what waits for
  // it is dropped when the engine goes). What still waits after `timeout` is
  // answered with kDraining. Returns true if everything was answered within the time, by the model. May be called
  // again.
  virtual bool Drain(Duration timeout) = 0;

  // Gives the backends called `group` one more that runs a text on all cores, facts().threads of them; from now on a
  // text that comes to an idle engine goes there (cores_policy.h). While that runs nothing else starts. It must say
  // what the group's others say, to the bit. Any thread may call it, once for each group. Errors: kInvalidArgument,
  // naming the group, where there is none of that name, where it has one already or no workers, or where the backend
  // does not fit the manifest; kUnimplemented where the engine has no backends.
  virtual absl::Status AddWide(std::string_view group, std::unique_ptr<Backend> wide);

  virtual EngineState state() const = 0;
  virtual const ServedModel& model() const = 0;
  virtual const EngineOptions& options() const = 0;  // as they are in force
};

}  // namespace ks
