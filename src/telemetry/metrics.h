// Every series of the server, registered at zero before the first request, so that alerts and autoscalers have
// something to read. The only place that knows prometheus-cpp.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "telemetry/log.h"

namespace ks {

class SpanExporter;

enum class RejectReason { kQueueFull, kDeadline, kDraining, kTooLarge, kAbandoned };

// What became of a text that was to be run through a second backend as well.
enum class ShadowOutcome { kCompared, kDropped, kFailed };

// How far the second answer to a text is from the first.
struct ShadowDifference {
  bool same_label = true;
  double score = 0;    // absolute, of the first answer's label
  double largest = 0;  // absolute, over all labels
};
// A score further off than this counts as a disagreement.
inline constexpr double kShadowScoreTolerance = 0.01;

// Whose series are to exist. Label values come from here alone: no client string ever becomes one.
struct ModelSeries {
  std::string model;
  std::vector<std::string> labels;    // the model's
  std::vector<std::string> backends;  // that may answer or shadow
};

// The series of one model. Indices are those of ModelSeries. All methods are safe from any thread and cost well under a
// microsecond.
class ModelMetrics {
 public:
  virtual ~ModelMetrics() = default;
  // One Backend::Run: its duration, the sequences and tokens that it held, and whether it had all cores (`wide`) or one.
  virtual void ObserveRun(int backend, Duration duration, int sequences, int tokens, bool wide) = 0;
  virtual void ObserveQueueWait(Duration wait) = 0;
  // One text answered; `tokens` that ran for it, `confidence` the score of its label, in [0, 1].
  virtual void CountPrediction(int backend, int label, double confidence, int tokens, bool truncated) = 0;
  virtual void CountRejected(RejectReason reason) = 0;
  // Counts it, and creates ml_prediction_accuracy_score with the first one: a zero before that would page someone.
  virtual void CountFeedback(int backend, bool agreed) = 0;
  // One text that was compared. Takes no lock: it comes from a thread at idle priority, and nobody may wait for that.
  // Creates ml_backend_agreement_ratio and ml_backend_score_drift_max with the first one.
  virtual void ObserveShadow(const ShadowDifference& difference) = 0;
  // `texts` of a request. No lock either.
  virtual void CountShadow(ShadowOutcome outcome, int texts) = 0;
  virtual void SetLoadTime(int backend, Duration duration) = 0;
  virtual void SetQueue(int64_t tokens, int64_t limit) = 0;
  // Whether a worker has been inside one run for too long. Time alone changes it, so whoever scrapes sets it before.
  virtual void SetStalled(bool stalled) = 0;
  virtual void SetPackageVerified(bool verified) = 0;
  // The one in use; an earlier one disappears.
  virtual void SetActivePrecision(std::string_view precision, std::string_view reason) = 0;
};

struct HttpRoute {
  std::string route;  // the template, "unmatched" where there is none
  std::string method;
};

class Metrics {
 public:
  // What is built in, beside this program's own version and compiler: labels of build_info.
  using BuildLabels = std::map<std::string, std::string>;

  explicit Metrics(const BuildLabels& build_labels = {});
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Registers the series of a model; the result lives as long as this object. Once for each model.
  ModelMetrics& AddModel(const ModelSeries& series);

  // Registers the http_* series of each route at zero, for the statuses 200, 422, 429, 500, 503 and 504. Before
  // the first request, once.
  void AddRoutes(const std::vector<HttpRoute>& routes);
  // Around each request; safe from any thread. `route` is the index in the list given to AddRoutes.
  void HttpStarted();
  void HttpFinished(int route, int status, Duration duration);

  void SetColdStart(Duration duration);

  // Shows log.dropped() as log_dropped_total. `log` must outlive every Scrape. Before the first of them, once.
  void AddLog(const Log& log);

  // Shows its counts as trace_spans_*_total, which are zero without. `exporter` must outlive every Scrape. Before the first
  // of them, once.
  void AddTraces(const SpanExporter& exporter);

  // The text exposition format, version 0.0.4, process_* included.
  std::string Scrape();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ks
