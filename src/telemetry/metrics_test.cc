#include "telemetry/metrics.h"

#include <map>
#include <sstream>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "telemetry/trace/exporter.h"

namespace ks {
namespace {

using std::chrono::milliseconds;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

// The value of the sample with exactly this name and label set as the exposition writes it; nothing where it is absent.
std::optional<double> Sample(Metrics& metrics, const std::string& series) {
  std::istringstream lines(metrics.Scrape());
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(series + " ")) return std::stod(line.substr(series.size() + 1));
  }
  return std::nullopt;
}

const ModelSeries kSeries = {"tiny", {"NEG", "POS"}, {"onnx", "pytorch"}};

TEST(Metrics, RegistersEverySeriesOfAModelAtZero) {
  Metrics metrics;
  metrics.AddModel(kSeries);
  for (const char* series : {R"(ml_inference_duration_seconds_count{backend="pytorch",model="tiny"})",
                             R"(ml_inference_duration_seconds_bucket{backend="onnx",model="tiny",le="0.00025"})",
                             R"(ml_inference_duration_seconds_bucket{backend="onnx",model="tiny",le="2.5"})",
                             R"(ml_inference_duration_seconds_bucket{backend="onnx",model="tiny",le="10"})",
                             R"(ml_inference_duration_seconds_bucket{backend="onnx",model="tiny",le="+Inf"})",
                             R"(ml_model_load_duration_seconds{backend="onnx",model="tiny"})",
                             R"(ml_predictions_total{backend="onnx",label="NEG",model="tiny"})",
                             R"(ml_predictions_total{backend="pytorch",label="POS",model="tiny"})",
                             R"(ml_prediction_confidence_bucket{label="POS",model="tiny",le="0.95"})",
                             R"(ml_feedback_total{backend="onnx",model="tiny",outcome="agreed"})",
                             R"(ml_feedback_total{backend="pytorch",model="tiny",outcome="differed"})",
                             R"(ml_worker_stalled{model="tiny"})",
                             R"(ml_tokens_total{model="tiny"})",
                             R"(ml_truncated_total{model="tiny"})",
                             R"(ml_batch_size_count{model="tiny"})",
                             R"(ml_batch_tokens_count{model="tiny"})",
                             R"(ml_queue_tokens{model="tiny"})",
                             R"(ml_queue_limit_tokens{model="tiny"})",
                             R"(ml_queue_wait_seconds_count{model="tiny"})",
                             R"(ml_rejected_total{model="tiny",reason="queue_full"})",
                             R"(ml_rejected_total{model="tiny",reason="deadline"})",
                             R"(ml_rejected_total{model="tiny",reason="draining"})",
                             R"(ml_rejected_total{model="tiny",reason="too_large"})",
                             R"(ml_rejected_total{model="tiny",reason="abandoned"})",
                             R"(ml_shadow_texts_total{model="tiny",outcome="compared"})",
                             R"(ml_shadow_texts_total{model="tiny",outcome="dropped"})",
                             R"(ml_shadow_texts_total{model="tiny",outcome="failed"})",
                             R"(ml_backend_disagreement_total{kind="label",model="tiny"})",
                             R"(ml_backend_disagreement_total{kind="score",model="tiny"})"}) {
    EXPECT_EQ(Sample(metrics, series), 0) << series << "\n" << metrics.Scrape();
  }
  EXPECT_THAT(metrics.Scrape(), Not(HasSubstr("ml_prediction_accuracy_score")));
  EXPECT_THAT(metrics.Scrape(), Not(HasSubstr("ml_package_verified")));
  EXPECT_THAT(metrics.Scrape(), Not(HasSubstr("ml_backend_agreement_ratio")));
  EXPECT_THAT(metrics.Scrape(), Not(HasSubstr("ml_backend_score_drift_max")));
}

TEST(Metrics, ComparesTwoBackendsFromTheFirstSampleOn) {
  Metrics metrics;
  ModelMetrics& model = metrics.AddModel(kSeries);
  model.ObserveShadow({.same_label = true, .score = 0.01, .largest = 0.02});
  EXPECT_EQ(Sample(metrics, R"(ml_backend_agreement_ratio{model="tiny"})"), 1);
  EXPECT_EQ(Sample(metrics, R"(ml_backend_score_drift_max{model="tiny"})"), 0.02);
  EXPECT_EQ(Sample(metrics, R"(ml_backend_disagreement_total{kind="score",model="tiny"})"), 0) << "0.01 is not more";

  model.ObserveShadow({.same_label = true, .score = 0.011, .largest = 0.011});
  model.ObserveShadow({.same_label = false, .score = 0.6, .largest = 0.7});
  model.ObserveShadow({.same_label = true, .score = 0, .largest = 0});
  EXPECT_EQ(Sample(metrics, R"(ml_backend_agreement_ratio{model="tiny"})"), 0.75);
  EXPECT_EQ(Sample(metrics, R"(ml_backend_score_drift_max{model="tiny"})"), 0.7);
  EXPECT_EQ(Sample(metrics, R"(ml_backend_disagreement_total{kind="score",model="tiny"})"), 1);
  EXPECT_EQ(Sample(metrics, R"(ml_backend_disagreement_total{kind="label",model="tiny"})"), 1)
      << "another label is not counted as a score as well";

  model.CountShadow(ShadowOutcome::kDropped, 3);
  EXPECT_EQ(Sample(metrics, R"(ml_shadow_texts_total{model="tiny",outcome="dropped"})"), 3);
}

TEST(Metrics, CountsRunsAndPredictions) {
  Metrics metrics;
  ModelMetrics& model = metrics.AddModel(kSeries);
  model.ObserveRun(0, milliseconds(3), 4, 60, true);
  model.CountPrediction(0, 1, 0.97, 15, true);
  model.CountPrediction(1, 0, 0.55, 5, false);
  model.ObserveQueueWait(milliseconds(1));
  model.SetQueue(60, 1000);
  EXPECT_EQ(Sample(metrics, R"(ml_inference_duration_seconds_bucket{backend="onnx",model="tiny",le="0.002"})"), 0);
  EXPECT_EQ(Sample(metrics, R"(ml_inference_duration_seconds_bucket{backend="onnx",model="tiny",le="0.004"})"), 1);
  EXPECT_EQ(Sample(metrics, R"(ml_runs_total{backend="onnx",model="tiny",session="wide"})"), 1);
  EXPECT_EQ(Sample(metrics, R"(ml_runs_total{backend="onnx",model="tiny",session="narrow"})"), 0);
  EXPECT_EQ(Sample(metrics, R"(ml_batch_size_sum{model="tiny"})"), 4);
  EXPECT_EQ(Sample(metrics, R"(ml_batch_tokens_sum{model="tiny"})"), 60);
  EXPECT_EQ(Sample(metrics, R"(ml_predictions_total{backend="onnx",label="POS",model="tiny"})"), 1);
  EXPECT_EQ(Sample(metrics, R"(ml_predictions_total{backend="pytorch",label="NEG",model="tiny"})"), 1);
  EXPECT_EQ(Sample(metrics, R"(ml_prediction_confidence_bucket{label="POS",model="tiny",le="0.95"})"), 0);
  EXPECT_EQ(Sample(metrics, R"(ml_prediction_confidence_bucket{label="POS",model="tiny",le="0.99"})"), 1);
  EXPECT_EQ(Sample(metrics, R"(ml_tokens_total{model="tiny"})"), 20);
  EXPECT_EQ(Sample(metrics, R"(ml_truncated_total{model="tiny"})"), 1);
  EXPECT_EQ(Sample(metrics, R"(ml_queue_wait_seconds_count{model="tiny"})"), 1);
  EXPECT_EQ(Sample(metrics, R"(ml_queue_tokens{model="tiny"})"), 60);
  EXPECT_EQ(Sample(metrics, R"(ml_queue_limit_tokens{model="tiny"})"), 1000);
}

TEST(Metrics, CountsRefusalsByReason) {
  Metrics metrics;
  ModelMetrics& model = metrics.AddModel(kSeries);
  model.CountRejected(RejectReason::kTooLarge);
  model.CountRejected(RejectReason::kDeadline);
  model.CountRejected(RejectReason::kDeadline);
  EXPECT_EQ(Sample(metrics, R"(ml_rejected_total{model="tiny",reason="too_large"})"), 1);
  EXPECT_EQ(Sample(metrics, R"(ml_rejected_total{model="tiny",reason="deadline"})"), 2);
  EXPECT_EQ(Sample(metrics, R"(ml_rejected_total{model="tiny",reason="queue_full"})"), 0);
}

TEST(Metrics, ScoresAccuracyFromTheFirstFeedbackOn) {
  Metrics metrics;
  ModelMetrics& model = metrics.AddModel(kSeries);
  model.CountFeedback(1, false);
  EXPECT_EQ(Sample(metrics, R"(ml_prediction_accuracy_score{backend="pytorch",model="tiny"})"), 0);
  model.CountFeedback(1, true);
  model.CountFeedback(1, true);
  model.CountFeedback(1, true);
  EXPECT_EQ(Sample(metrics, R"(ml_prediction_accuracy_score{backend="pytorch",model="tiny"})"), 0.75);
  EXPECT_EQ(Sample(metrics, R"(ml_feedback_total{backend="pytorch",model="tiny",outcome="agreed"})"), 3);
  EXPECT_EQ(Sample(metrics, R"(ml_feedback_total{backend="pytorch",model="tiny",outcome="differed"})"), 1);
  EXPECT_EQ(Sample(metrics, R"(ml_feedback_total{backend="onnx",model="tiny",outcome="agreed"})"), 0);
  EXPECT_EQ(Sample(metrics, R"(ml_prediction_accuracy_score{backend="onnx",model="tiny"})"), std::nullopt);
}

TEST(Metrics, ShowsThePrecisionInUseAlone) {
  Metrics metrics;
  ModelMetrics& model = metrics.AddModel(kSeries);
  model.SetActivePrecision("int8", "configured");
  model.SetActivePrecision("fp32", "int8_self_check_failed");
  EXPECT_EQ(Sample(metrics, R"(ml_active_precision{model="tiny",precision="fp32",reason="int8_self_check_failed"})"),
            1);
  EXPECT_THAT(metrics.Scrape(), Not(HasSubstr("configured")));
  model.SetPackageVerified(true);
  EXPECT_EQ(Sample(metrics, R"(ml_package_verified{model="tiny"})"), 1);
  model.SetPackageVerified(false);
  EXPECT_EQ(Sample(metrics, R"(ml_package_verified{model="tiny"})"), 0);
  model.SetLoadTime(0, milliseconds(250));
  EXPECT_EQ(Sample(metrics, R"(ml_model_load_duration_seconds{backend="onnx",model="tiny"})"), 0.25);
}

TEST(Metrics, KeepsSeveralModelsApart) {
  Metrics metrics;
  metrics.AddModel(kSeries).CountRejected(RejectReason::kDraining);
  metrics.AddModel({"other", {"A"}, {"onnx"}});
  EXPECT_EQ(Sample(metrics, R"(ml_rejected_total{model="tiny",reason="draining"})"), 1);
  EXPECT_EQ(Sample(metrics, R"(ml_rejected_total{model="other",reason="draining"})"), 0);
}

TEST(Metrics, CountsRequestsByRouteAndStatus) {
  Metrics metrics;
  metrics.AddRoutes({{"/a/{id}", "POST"}, {"unmatched", "other"}});
  for (const char* status : {"200", "422", "429", "500", "503", "504"}) {
    EXPECT_EQ(
        Sample(metrics, std::string(R"(http_requests_total{method="POST",route="/a/{id}",status=")") + status + "\"}"),
        0);
  }
  metrics.HttpStarted();
  metrics.HttpStarted();
  EXPECT_EQ(Sample(metrics, "http_requests_in_flight"), 2);
  metrics.HttpFinished(0, 200, milliseconds(20));
  metrics.HttpFinished(1, 404, milliseconds(1));
  EXPECT_EQ(Sample(metrics, "http_requests_in_flight"), 0);
  EXPECT_EQ(Sample(metrics, R"(http_requests_total{method="POST",route="/a/{id}",status="200"})"), 1);
  EXPECT_EQ(Sample(metrics, R"(http_requests_total{method="other",route="unmatched",status="404"})"), 1);
  EXPECT_EQ(Sample(metrics, R"(http_request_duration_seconds_bucket{method="POST",route="/a/{id}",le="0.016"})"), 0);
  EXPECT_EQ(Sample(metrics, R"(http_request_duration_seconds_bucket{method="POST",route="/a/{id}",le="0.032"})"), 1);
}

TEST(Metrics, DescribesTheProcessAndTheBuild) {
  Metrics metrics;
  metrics.SetColdStart(milliseconds(120));
  EXPECT_EQ(Sample(metrics, "ml_cold_start_seconds"), 0.12);
  EXPECT_GT(Sample(metrics, "process_resident_memory_bytes").value_or(0), 0);
  EXPECT_THAT(metrics.Scrape(), HasSubstr("# TYPE process_cpu_seconds_total counter"));
}

TEST(Metrics, NamesWhatWasBuiltAndWhatIsBuiltIn) {
  Metrics metrics(Metrics::BuildLabels{{"onnxruntime", "1.2.3"}});
  EXPECT_THAT(metrics.Scrape(), ContainsRegex(R"(build_info\{compiler="[^}]+",onnxruntime="1\.2\.3",version=")"));
}

TEST(Metrics, ShowsTheLogsDroppedLinesFromZero) {
  const Log log(LogLevel::kInfo);
  Metrics metrics;
  EXPECT_EQ(Sample(metrics, "log_dropped_total"), std::nullopt);
  metrics.AddLog(log);
  EXPECT_EQ(Sample(metrics, "log_dropped_total"), 0);
}

TEST(Metrics, ShowsWhatBecameOfSpansFromZero) {
  Log log(LogLevel::kError, [](std::string_view) {});
  Metrics metrics;
  EXPECT_EQ(Sample(metrics, "trace_spans_exported_total"), 0);
  EXPECT_EQ(Sample(metrics, "trace_spans_dropped_total"), 0);
  SpanExporter exporter([](std::string_view, Duration) { return absl::OkStatus(); }, {.max_queue_bytes = 2}, log,
                        SystemClock());
  metrics.AddTraces(exporter);
  exporter.Add("too long", 3);
  exporter.Add("ab", 2);
  while (exporter.exported() == 0) std::this_thread::yield();
  EXPECT_EQ(Sample(metrics, "trace_spans_exported_total"), 2);
  EXPECT_EQ(Sample(metrics, "trace_spans_dropped_total"), 3);
}

TEST(Metrics, TakesCountsFromManyThreads) {
  Metrics metrics;
  ModelMetrics& model = metrics.AddModel(kSeries);
  metrics.AddRoutes({{"/a", "GET"}});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        metrics.HttpStarted();
        model.CountPrediction(0, i % 2, 0.9, 3, false);
        model.CountFeedback(0, i % 2 == 0);
        metrics.HttpFinished(0, 400 + i % 7, milliseconds(1));
      }
    });
  }
  metrics.Scrape();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Sample(metrics, R"(ml_tokens_total{model="tiny"})"), 6000);
  EXPECT_EQ(Sample(metrics, R"(ml_prediction_accuracy_score{backend="onnx",model="tiny"})"), 0.5);
  EXPECT_EQ(Sample(metrics, R"(http_request_duration_seconds_count{method="GET",route="/a"})"), 2000);
}

}  // namespace
}  // namespace ks
