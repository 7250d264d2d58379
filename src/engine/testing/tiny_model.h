// What the engine's tests share: a tiny tokeniser, a model on fake backends, metrics that count. Tests only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/fake/fake_backend.h"
#include "base/mutex.h"
#include "engine/engine.h"
#include "engine/served_model.h"
#include "telemetry/metrics.h"

namespace ks {

// BERT's scheme over the words w0 .. w99: "w1 w2" is [CLS] w1 w2 [SEP], four tokens.
std::string WordTokenizerJson();

// `words` words, different for different `seed`s: words + 2 tokens.
std::string TinyText(int words, int seed = 0);

// Three labels, a window of 64 tokens, token types told apart.
Manifest TinyManifest();

// One group for each name, of `workers` fake backends with the same hook.
struct TinyModelOptions {
  std::vector<std::string> groups = {"fake"};
  int workers = 1;
  FakeBackend::Hook hook = nullptr;
  BackendFacts facts = FakeFacts();
  Manifest manifest = TinyManifest();
  std::function<std::unique_ptr<Backend>()> shadow = nullptr;  // makes the shadow of the last group
};
std::shared_ptr<const ServedModel> TinyModel(const TinyModelOptions& options = {});

// The logits that the fake backends of `model` give a text that fits the window.
std::vector<float> ExpectedLogits(const ServedModel& model, const std::string& text);

// Texts as inputs; they must outlive the result.
std::vector<TextInput> Inputs(const std::vector<std::string>& texts);

// Where an asynchronous answer arrives.
class PendingAnswer {
 public:
  PendingAnswer() : state_(std::make_shared<State>()) {}

  // For Submit. Fails the test if it is called twice.
  Engine::Done done() const;
  bool arrived() const;
  // Blocks until it is there.
  absl::StatusOr<ClassifyResult> Get() const;

  Engine::Ticket ticket;  // of SubmitAsync

 private:
  struct State {
    Mutex mutex;
    CondVar changed;
    std::optional<absl::StatusOr<ClassifyResult>> result KS_GUARDED_BY(mutex);
  };
  std::shared_ptr<State> state_;
};

PendingAnswer SubmitAsync(Engine& engine, const std::vector<std::string>& texts, const ClassifyOptions& options = {});

class CountingMetrics final : public ModelMetrics {
 public:
  struct Counts {
    int runs = 0;
    int wide_runs = 0;
    int64_t run_sequences = 0;
    int64_t run_tokens = 0;
    int waits = 0;
    Duration longest_wait{0};
    std::map<int, int> predictions;  // by label
    double confidence_sum = 0;
    int64_t tokens = 0;
    int truncated = 0;
    std::map<RejectReason, int> rejected;
    int64_t queue_tokens = 0;
    int64_t most_queue_tokens = 0;
    int64_t queue_limit = 0;
    std::map<int, int> predictions_by_backend;
    std::map<ShadowOutcome, int> shadow_texts;
    int other_label = 0;
    double largest_difference = 0;
  };
  Counts counts() const {
    MutexLock lock(mutex_);
    return counts_;
  }

  void ObserveRun(int backend, Duration duration, int sequences, int tokens, bool wide) override;
  void ObserveQueueWait(Duration wait) override;
  void CountPrediction(int backend, int label, double confidence, int tokens, bool truncated) override;
  void CountRejected(RejectReason reason) override;
  void CountFeedback(int, bool) override {}
  void ObserveShadow(const ShadowDifference& difference) override;
  void CountShadow(ShadowOutcome outcome, int texts) override;
  // Blocks until so many texts have come to that end.
  void WaitForShadow(ShadowOutcome outcome, int texts);
  void SetLoadTime(int, Duration) override {}
  void SetQueue(int64_t tokens, int64_t limit) override;
  void SetStalled(bool) override {}
  void SetPackageVerified(bool) override {}
  void SetActivePrecision(std::string_view, std::string_view) override {}

 private:
  mutable Mutex mutex_;
  CondVar shadow_changed_;
  Counts counts_ KS_GUARDED_BY(mutex_);
};

}  // namespace ks
