#include "measure/bench_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ks {
namespace {

using std::chrono::microseconds;
using testing::HasSubstr;
using testing::Not;

BenchReport Identity() {
  BenchReport report;
  report.model = "tiny";
  report.precision = "int8";
  report.backend = "onnx";
  report.cpu = "Some CPU";
  report.isa = "avx2";
  report.version = "1.2.3";
  report.cores = 2;
  return report;
}

const LatencySummary kTimes = {.count = 7,
                               .min = microseconds(1000),
                               .p50 = microseconds(1500),
                               .p90 = microseconds(1900),
                               .p99 = microseconds(2250),
                               .max = microseconds(3000)};

const ColdStartReport kColdStart = {
    .first_answer = {.count = 30,
                     .min = microseconds(25000),
                     .p50 = microseconds(28000),
                     .p90 = microseconds(33000),
                     .p95 = microseconds(41000),
                     .p99 = microseconds(42000),
                     .max = microseconds(42000)},
    .steps = {{"exec", microseconds(4000)}, {"session", microseconds(23500)}, {"answer", microseconds(500)}},
    .floor = LatencySummary{.count = 30, .p50 = microseconds(21000)}};

TEST(BenchReport, ShowsEachScenarioInBothForms) {
  BenchReport report = Identity();
  report.latency = {{.shape = {8, 128}, .run = kTimes}};
  report.throughput = {{.callers = 64, .texts_per_second = 1234.5, .tokens_per_second = 20000, .answer = kTimes}};
  report.cold_start = kColdStart;
  report.memory = MemoryReport{.after_first = {.resident_bytes = 50'000'000}, .after_load = {}, .texts = 200};

  const std::string json = BenchReportJson(report);
  EXPECT_THAT(json, HasSubstr("\"tokens\": 128"));
  EXPECT_THAT(json, HasSubstr("\"p99_ms\": 2.250"));
  EXPECT_THAT(json, HasSubstr("\"texts_per_second\": 1234.5"));
  EXPECT_THAT(json, HasSubstr("\"coldstart\": {"));
  EXPECT_THAT(json, HasSubstr("\"resident_bytes\": 50000000"));

  const std::string text = BenchReportText(report);
  EXPECT_THAT(text, HasSubstr("tiny, int8, onnx; Some CPU, 2 cores, avx2; version 1.2.3\n"));
  EXPECT_THAT(text, HasSubstr("8 x 128 tokens"));
  EXPECT_THAT(text, HasSubstr("64              1234.5      1.500      1.900      2.250      3.000        7\n"));
  EXPECT_THAT(text, HasSubstr("after the first answer       50.0"));
  EXPECT_THAT(text, HasSubstr("after 200 texts"));
}

TEST(BenchReport, TakesAColdStartApartAndSaysWhichBarItMeets) {
  BenchReport report = Identity();
  report.cold_start = kColdStart;
  std::string text = BenchReportText(report);
  EXPECT_THAT(
      text,
      HasSubstr(
          "exec                        4.000\nsession                    23.500\nanswer                      0.500\n"));
  EXPECT_THAT(text, HasSubstr("median 28.0 ms and p95 41.0 ms, at most 30 and 40: not met\n"));
  EXPECT_THAT(text, HasSubstr("1.33 x ONNX Runtime alone, at most 1.4: met\n"));
  const std::string json = BenchReportJson(report);
  EXPECT_THAT(json, HasSubstr("\"session\": 23.500"));
  EXPECT_THAT(json, HasSubstr("\"floors\": 1.333"));
  EXPECT_THAT(json, HasSubstr("\"meets_times\": false"));

  report.cold_start->first_answer.p95 = microseconds(40000);
  report.cold_start->floor->p50 = microseconds(19000);
  text = BenchReportText(report);
  EXPECT_THAT(text, HasSubstr("at most 30 and 40: met\n"));
  EXPECT_THAT(text, HasSubstr("1.47 x ONNX Runtime alone, at most 1.4: not met\n"));

  report.cold_start->floor.reset();
  EXPECT_THAT(BenchReportText(report), HasSubstr("not compared with ONNX Runtime alone"));
}

TEST(BenchReport, LeavesOutWhatWasNotAskedFor) {
  BenchReport report = Identity();
  report.cold_start = ColdStartReport{.first_answer = kTimes, .steps = {}, .floor = std::nullopt};
  EXPECT_THAT(BenchReportJson(report), Not(HasSubstr("latency")));
  EXPECT_THAT(BenchReportJson(report), Not(HasSubstr("memory")));
  EXPECT_THAT(BenchReportText(report), Not(HasSubstr("latency")));
  EXPECT_THAT(BenchReportText(report), HasSubstr("exec to first answer"));
}

}  // namespace
}  // namespace ks
