// The series over prometheus-cpp's core. Label sets are fixed at registration and looked up once: a request touches
// pointers. Tested by metrics_test.cc.
#include "telemetry/metrics.h"

#include <array>
#include <atomic>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/mutex.h"
#include "base/strings.h"
#include "base/version.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "prometheus/text_serializer.h"
#include "telemetry/process_metrics.h"
#include "telemetry/trace/exporter.h"

namespace ks {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;
using Buckets = Histogram::BucketBoundaries;

const Buckets& DurationBuckets() {
  static const Buckets buckets = {0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032,
                                  0.064,   0.125,  0.25,  0.5,   1,     2.5,   10};
  return buckets;
}
const Buckets& ConfidenceBuckets() {
  static const Buckets buckets = {.5, .6, .7, .8, .9, .95, .99, 1};
  return buckets;
}
Buckets PowersOfTwo(int from, int to) {
  Buckets buckets;
  for (int value = from; value <= to; value *= 2) buckets.push_back(value);
  return buckets;
}

constexpr std::array<std::pair<RejectReason, const char*>, 5> kReasons = {{{RejectReason::kQueueFull, "queue_full"},
                                                                           {RejectReason::kDeadline, "deadline"},
                                                                           {RejectReason::kDraining, "draining"},
                                                                           {RejectReason::kTooLarge, "too_large"},
                                                                           {RejectReason::kAbandoned, "abandoned"}}};
constexpr std::array<std::pair<ShadowOutcome, const char*>, 3> kShadowOutcomes = {
    {{ShadowOutcome::kCompared, "compared"}, {ShadowOutcome::kDropped, "dropped"}, {ShadowOutcome::kFailed, "failed"}}};
// All that an alert counts: a counter that appears with its first event hides that event from increase().
constexpr std::array kStatusesAtZero = {200, 422, 429, 500, 503, 504};

// Families are shared by the models: registering a name twice gives the same one.
class Registration {
 public:
  explicit Registration(prometheus::Registry& registry) : registry_(registry) {}
  Family<Counter>& Counters(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry_);
  }
  Family<Gauge>& Gauges(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry_);
  }
  Family<Histogram>& Histograms(const char* name, const char* help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry_);
  }

 private:
  prometheus::Registry& registry_;
};

class ModelMetricsImpl final : public ModelMetrics {
 public:
  ModelMetricsImpl(prometheus::Registry& registry, const ModelSeries& series)
      : series_(series), registration_(registry), of_model_{{"model", series.model}} {
    auto& runs = registration_.Histograms("ml_inference_duration_seconds", "Duration of one run of a backend.");
    auto& sessions =
        registration_.Counters("ml_runs_total", "Runs, on one core (session narrow) or on all of them (wide).");
    auto& loads =
        registration_.Gauges("ml_model_load_duration_seconds", "Time from opening the package to a warm backend.");
    auto& predictions = registration_.Counters("ml_predictions_total", "Texts answered, by the label they got.");
    auto& confidence = registration_.Histograms("ml_prediction_confidence", "Score of the label that a text got.");
    auto& feedback =
        registration_.Counters("ml_feedback_total", "Labelled feedback, by whether it agreed with the prediction.");
    for (const std::string& label : series.labels) {
      confidence_.push_back(&confidence.Add({{"model", series.model}, {"label", label}}, ConfidenceBuckets()));
    }
    for (const std::string& name : series.backends) {
      const Labels of_backend = {{"model", series.model}, {"backend", name}};
      PerBackend& backend = backends_.emplace_back();
      backend.run_seconds = &runs.Add(of_backend, DurationBuckets());
      const auto of_session = [&](const char* session) {
        Labels labels = of_backend;
        labels["session"] = session;
        return &sessions.Add(labels);
      };
      backend.narrow_runs = of_session("narrow");
      backend.wide_runs = of_session("wide");
      const auto of_outcome = [&](const char* outcome) {
        Labels labels = of_backend;
        labels["outcome"] = outcome;
        return &feedback.Add(labels);
      };
      backend.feedback_agreed = of_outcome("agreed");
      backend.feedback_differed = of_outcome("differed");
      backend.load_seconds = &loads.Add(of_backend);
      for (const std::string& label : series.labels) {
        Labels labels = of_backend;
        labels["label"] = label;
        backend.predictions.push_back(&predictions.Add(labels));
      }
    }
    auto& rejected = registration_.Counters("ml_rejected_total", "Requests refused, by reason.");
    for (const auto& [reason, name] : kReasons) {
      rejected_[static_cast<size_t>(reason)] = &rejected.Add({{"model", series.model}, {"reason", name}});
    }
    auto& shadow =
        registration_.Counters("ml_shadow_texts_total", "Texts for the second backend, by what became of them.");
    for (const auto& [outcome, name] : kShadowOutcomes) {
      shadow_texts_[static_cast<size_t>(outcome)] = &shadow.Add({{"model", series.model}, {"outcome", name}});
    }
    auto& disagreements = registration_.Counters("ml_backend_disagreement_total",
                                                 "Texts to which the second backend gave another label, or the same "
                                                 "with a score off by more than 0.01.");
    other_label_ = &disagreements.Add({{"model", series.model}, {"kind", "label"}});
    other_score_ = &disagreements.Add({{"model", series.model}, {"kind", "score"}});
  }

  void ObserveRun(int backend, Duration duration, int sequences, int tokens, bool wide) override {
    At(backend).run_seconds->Observe(Seconds(duration));
    (wide ? At(backend).wide_runs : At(backend).narrow_runs)->Increment();
    batch_size_.Observe(sequences);
    batch_tokens_.Observe(tokens);
  }
  void ObserveQueueWait(Duration wait) override { queue_wait_.Observe(Seconds(wait)); }
  void CountPrediction(int backend, int label, double confidence, int tokens, bool truncated) override {
    At(backend).predictions.at(static_cast<size_t>(label))->Increment();
    confidence_.at(static_cast<size_t>(label))->Observe(confidence);
    tokens_.Increment(tokens);
    if (truncated) truncated_.Increment();
  }
  void CountRejected(RejectReason reason) override { rejected_[static_cast<size_t>(reason)]->Increment(); }
  void CountFeedback(int backend, bool agreed) override {
    MutexLock lock(mutex_);
    PerBackend& counted = At(backend);
    ++counted.feedback;
    if (agreed) ++counted.agreed;
    (agreed ? counted.feedback_agreed : counted.feedback_differed)->Increment();
    registration_
        .Gauges("ml_prediction_accuracy_score", "Share of labelled feedback that agreed, over the process's life.")
        .Add({{"model", series_.model}, {"backend", series_.backends[static_cast<size_t>(backend)]}})
        .Set(static_cast<double>(counted.agreed) / static_cast<double>(counted.feedback));
  }
  void ObserveShadow(const ShadowDifference& difference) override {
    if (!difference.same_label) {
      other_label_->Increment();
    } else {
      ++same_label_;
      if (difference.score > kShadowScoreTolerance) other_score_->Increment();
    }
    double largest = largest_difference_;
    while (difference.largest > largest && !largest_difference_.compare_exchange_weak(largest, difference.largest)) {
    }
    ++compared_;  // last: with it the others count
  }
  void CountShadow(ShadowOutcome outcome, int texts) override {
    shadow_texts_[static_cast<size_t>(outcome)]->Increment(texts);
  }
  // The gauges that exist from the first comparison on. Made at each scrape from plain numbers: making them where the
  // comparison happens would take the registry's lock there.
  void AppendShadow(prometheus::ClientMetric& agreement, prometheus::ClientMetric& drift) const {
    for (prometheus::ClientMetric* metric : {&agreement, &drift}) metric->label = {{"model", series_.model}};
    agreement.gauge.value = static_cast<double>(same_label_) / static_cast<double>(compared_);
    drift.gauge.value = largest_difference_;
  }
  bool has_compared() const { return compared_ > 0; }
  void SetLoadTime(int backend, Duration duration) override { At(backend).load_seconds->Set(Seconds(duration)); }
  void SetQueue(int64_t tokens, int64_t limit) override {
    queue_tokens_.Set(static_cast<double>(tokens));
    queue_limit_.Set(static_cast<double>(limit));
  }
  void SetStalled(bool stalled) override { stalled_.Set(stalled ? 1 : 0); }
  void SetPackageVerified(bool verified) override {
    registration_.Gauges("ml_package_verified", "1: the package's hashes were checked and agree; 0: they do not.")
        .Add(of_model_)
        .Set(verified ? 1 : 0);
  }
  void SetActivePrecision(std::string_view precision, std::string_view reason) override {
    MutexLock lock(mutex_);
    auto& family = registration_.Gauges("ml_active_precision", "1 for the precision in use, and why it is.");
    if (active_precision_ != nullptr) family.Remove(active_precision_);
    active_precision_ =
        &family.Add({{"model", series_.model}, {"precision", std::string(precision)}, {"reason", std::string(reason)}});
    active_precision_->Set(1);
  }

 private:
  struct PerBackend {
    Histogram* run_seconds = nullptr;
    Counter* narrow_runs = nullptr;
    Counter* wide_runs = nullptr;
    Counter* feedback_agreed = nullptr;
    Counter* feedback_differed = nullptr;
    Gauge* load_seconds = nullptr;
    std::vector<Counter*> predictions;  // [label]
    int64_t feedback = 0;               // under mutex_
    int64_t agreed = 0;
  };
  PerBackend& At(int backend) { return backends_.at(static_cast<size_t>(backend)); }

  const ModelSeries series_;
  Registration registration_;
  const Labels of_model_;
  std::vector<PerBackend> backends_;
  std::vector<Histogram*> confidence_;  // [label]
  std::array<Counter*, kReasons.size()> rejected_{};
  std::array<Counter*, kShadowOutcomes.size()> shadow_texts_{};
  Counter* other_label_ = nullptr;
  Counter* other_score_ = nullptr;
  std::atomic<int64_t> compared_{0};
  std::atomic<int64_t> same_label_{0};
  std::atomic<double> largest_difference_{0};
  Counter& tokens_ = registration_.Counters("ml_tokens_total", "Tokens that ran for answered texts.").Add(of_model_);
  Counter& truncated_ =
      registration_.Counters("ml_truncated_total", "Texts longer than the window, answered from their head.")
          .Add(of_model_);
  Histogram& batch_size_ =
      registration_.Histograms("ml_batch_size", "Sequences in one run.").Add(of_model_, PowersOfTwo(1, 512));
  Histogram& batch_tokens_ =
      registration_.Histograms("ml_batch_tokens", "Tokens in one run.").Add(of_model_, PowersOfTwo(8, 8192));
  Histogram& queue_wait_ = registration_.Histograms("ml_queue_wait_seconds", "Time from admission to a run.")
                               .Add(of_model_, DurationBuckets());
  Gauge& queue_tokens_ =
      registration_.Gauges("ml_queue_tokens", "Tokens admitted and not answered yet.").Add(of_model_);
  Gauge& queue_limit_ =
      registration_.Gauges("ml_queue_limit_tokens", "Admission limit of ml_queue_tokens.").Add(of_model_);
  Gauge& stalled_ = registration_
                        .Gauges("ml_worker_stalled",
                                "1: a worker has been inside one run for longer than stall-timeout; liveness fails.")
                        .Add(of_model_);
  Mutex mutex_;
  Gauge* active_precision_ KS_GUARDED_BY(mutex_) = nullptr;
};

// One route's series. Statuses beyond those at zero appear when they happen; there are as many as we answer with.
struct RouteSeries {
  HttpRoute route;
  Histogram* seconds = nullptr;
  Mutex mutex;
  std::unordered_map<int, Counter*> by_status KS_GUARDED_BY(mutex);
};

prometheus::MetricFamily OneSample(const char* name, const char* help, prometheus::MetricType type, double value) {
  prometheus::MetricFamily family;
  family.name = name;
  family.help = help;
  family.type = type;
  prometheus::ClientMetric& metric = family.metric.emplace_back();
  metric.counter.value = value;
  metric.gauge.value = value;
  return family;
}

void AppendProcess(std::vector<prometheus::MetricFamily>& families) {
  using prometheus::MetricType;
  const ProcessStats stats = ReadProcessStats();
  families.push_back(
      OneSample("process_cpu_seconds_total", "CPU time, user and system.", MetricType::Counter, stats.cpu_seconds));
  families.push_back(OneSample("process_start_time_seconds", "Start, in seconds since the epoch.", MetricType::Gauge,
                               stats.start_time_seconds));
  families.push_back(
      OneSample("process_virtual_memory_bytes", "Virtual memory.", MetricType::Gauge, stats.virtual_bytes));
  families.push_back(
      OneSample("process_resident_memory_bytes", "Resident memory.", MetricType::Gauge, stats.resident_bytes));
  families.push_back(OneSample("process_open_fds", "Open file descriptors.", MetricType::Gauge, stats.open_fds));
  families.push_back(OneSample("process_max_fds", "Limit of open file descriptors.", MetricType::Gauge, stats.max_fds));
  families.push_back(OneSample("process_threads", "Threads.", MetricType::Gauge, stats.threads));
}

void AppendTraces(const SpanExporter* exporter, std::vector<prometheus::MetricFamily>& families) {
  const int64_t exported = exporter == nullptr ? 0 : exporter->exported();
  const int64_t dropped = exporter == nullptr ? 0 : exporter->dropped();
  families.push_back(OneSample("trace_spans_exported_total", "Spans that the collector took.",
                               prometheus::MetricType::Counter, static_cast<double>(exported)));
  families.push_back(OneSample("trace_spans_dropped_total",
                               "Spans lost: the collector was away, too slow, or refused them.",
                               prometheus::MetricType::Counter, static_cast<double>(dropped)));
}

void AppendShadow(const std::vector<std::unique_ptr<ModelMetricsImpl>>& models,
                  std::vector<prometheus::MetricFamily>& families) {
  prometheus::MetricFamily agreement, drift;
  agreement.name = "ml_backend_agreement_ratio";
  agreement.help = "Share of the compared texts to which both backends gave the same label.";
  drift.name = "ml_backend_score_drift_max";
  drift.help = "Largest difference seen between a score of both backends, over all labels of the compared texts.";
  for (prometheus::MetricFamily* family : {&agreement, &drift}) family->type = prometheus::MetricType::Gauge;
  for (const auto& model : models) {
    if (model->has_compared()) model->AppendShadow(agreement.metric.emplace_back(), drift.metric.emplace_back());
  }
  if (agreement.metric.empty()) return;
  families.push_back(std::move(agreement));
  families.push_back(std::move(drift));
}

}  // namespace

struct Metrics::Impl {
  prometheus::Registry registry;
  Registration registration{registry};
  std::vector<std::unique_ptr<ModelMetricsImpl>> models;
  std::vector<std::unique_ptr<RouteSeries>> routes;
  Family<Counter>* requests = nullptr;
  Gauge* in_flight = nullptr;
  const Log* log = nullptr;
  const SpanExporter* traces = nullptr;
};

Metrics::Metrics(const BuildLabels& build_labels) : impl_(std::make_unique<Impl>()) {
  Labels labels = {{"version", std::string(Version())}, {"compiler", __VERSION__}};
  labels.insert(build_labels.begin(), build_labels.end());
  impl_->registration.Gauges("build_info", "1, with what was built as labels.").Add(labels).Set(1);
  impl_->in_flight =
      &impl_->registration.Gauges("http_requests_in_flight", "Requests read and not answered yet.").Add({});
}

Metrics::~Metrics() = default;

ModelMetrics& Metrics::AddModel(const ModelSeries& series) {
  return *impl_->models.emplace_back(std::make_unique<ModelMetricsImpl>(impl_->registry, series));
}

void Metrics::AddRoutes(const std::vector<HttpRoute>& routes) {
  impl_->requests = &impl_->registration.Counters("http_requests_total", "Requests answered.");
  auto& seconds =
      impl_->registration.Histograms("http_request_duration_seconds", "From the request read to its answer made.");
  for (const HttpRoute& route : routes) {
    auto& series = *impl_->routes.emplace_back(std::make_unique<RouteSeries>());
    series.route = route;
    series.seconds = &seconds.Add({{"route", route.route}, {"method", route.method}}, DurationBuckets());
    MutexLock lock(series.mutex);
    for (const int status : kStatusesAtZero) {
      series.by_status[status] =
          &impl_->requests->Add({{"route", route.route}, {"method", route.method}, {"status", std::to_string(status)}});
    }
  }
}

void Metrics::HttpStarted() { impl_->in_flight->Increment(); }

void Metrics::HttpFinished(int route, int status, Duration duration) {
  impl_->in_flight->Decrement();
  RouteSeries& series = *impl_->routes.at(static_cast<size_t>(route));
  series.seconds->Observe(Seconds(duration));
  MutexLock lock(series.mutex);
  Counter*& counter = series.by_status[status];
  if (counter == nullptr) {
    counter = &impl_->requests->Add(
        {{"route", series.route.route}, {"method", series.route.method}, {"status", std::to_string(status)}});
  }
  counter->Increment();
}

void Metrics::SetColdStart(Duration duration) {
  impl_->registration.Gauges("ml_cold_start_seconds", "From the first line of main to ready.")
      .Add({})
      .Set(Seconds(duration));
}

void Metrics::AddLog(const Log& log) { impl_->log = &log; }

void Metrics::AddTraces(const SpanExporter& exporter) { impl_->traces = &exporter; }

std::string Metrics::Scrape() {
  std::vector<prometheus::MetricFamily> families = impl_->registry.Collect();
  if (impl_->log != nullptr) {
    families.push_back(OneSample("log_dropped_total", "Log lines that were not written: stderr was not read.",
                                 prometheus::MetricType::Counter, static_cast<double>(impl_->log->dropped())));
  }
  AppendTraces(impl_->traces, families);
  AppendShadow(impl_->models, families);
  AppendProcess(families);
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace ks
