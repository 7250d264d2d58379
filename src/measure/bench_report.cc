// Tested by bench_report_test.cc.
#include "measure/bench_report.h"

#include <cstdarg>
#include <cstdio>

#include "base/json_writer.h"
#include "base/strings.h"

namespace ks {
namespace {

constexpr int kDecimals = 3;  // of milliseconds
constexpr char kTimes[] = "    p50 ms     p90 ms     p99 ms     max ms    count\n";

void AppendSummary(const LatencySummary& summary, JsonWriter& json) {
  json.Key("count").Int(summary.count);
  json.Key("min_ms").Fixed(Milliseconds(summary.min), kDecimals);
  json.Key("p50_ms").Fixed(Milliseconds(summary.p50), kDecimals);
  json.Key("p90_ms").Fixed(Milliseconds(summary.p90), kDecimals);
  json.Key("p99_ms").Fixed(Milliseconds(summary.p99), kDecimals);
  json.Key("max_ms").Fixed(Milliseconds(summary.max), kDecimals);
}

void AppendMemory(const ProcessMemory& memory, JsonWriter& json) {
  json.BeginObject().Key("resident_bytes").Int(memory.resident_bytes);
  json.Key("anonymous_bytes").Int(memory.anonymous_bytes).Key("peak_bytes").Int(memory.peak_bytes).EndObject();
}

void AppendColdStart(const ColdStartReport& report, JsonWriter& json) {
  json.Key("coldstart").BeginObject();
  AppendSummary(report.first_answer, json);
  json.Key("p95_ms").Fixed(Milliseconds(report.first_answer.p95), kDecimals);
  json.Key("median_start_ms").BeginObject();
  for (const StepTimes::Step& step : report.steps) {
    json.Key(step.name).Fixed(Milliseconds(step.duration), kDecimals);
  }
  json.EndObject();
  if (report.floor) {
    json.Key("floor").BeginObject();
    AppendSummary(*report.floor, json);
    json.EndObject().Key("floors").Fixed(report.floors(), kDecimals).Key("meets_floor").Bool(report.meets_floor());
  }
  json.Key("meets_times").Bool(report.meets_times()).EndObject();
}

[[gnu::format(printf, 2, 3)]] void Print(std::string& text, const char* format, ...) {
  char line[256];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line, sizeof(line), format, arguments);
  va_end(arguments);
  text += line;
}

void PrintSummary(const LatencySummary& summary, std::string& text) {
  Print(text, "%10.3f %10.3f %10.3f %10.3f %8lld\n", Milliseconds(summary.p50), Milliseconds(summary.p90),
        Milliseconds(summary.p99), Milliseconds(summary.max), static_cast<long long>(summary.count));
}

void PrintColdStart(const ColdStartReport& report, std::string& text) {
  Print(text, "\n%-22s %s%-22s ", "cold start", kTimes, "exec to first answer");
  PrintSummary(report.first_answer, text);
  if (report.floor) {
    Print(text, "%-22s ", "ONNX Runtime alone");
    PrintSummary(*report.floor, text);
  }
  if (!report.steps.empty()) Print(text, "\n%-22s %10s\n", "the median start", "ms");
  for (const StepTimes::Step& step : report.steps) {
    Print(text, "%-22s %10.3f\n", step.name.c_str(), Milliseconds(step.duration));
  }
  const auto verdict = [](bool met) { return met ? "met" : "not met"; };
  const LatencySummary& times = report.first_answer;
  Print(text, "\nmedian %.1f ms and p95 %.1f ms, at most %.0f and %.0f: %s\n", Milliseconds(times.p50),
        Milliseconds(times.p95), Milliseconds(kColdStartMedian), Milliseconds(kColdStartP95),
        verdict(report.meets_times()));
  if (report.floor) {
    Print(text, "%.2f x ONNX Runtime alone, at most %.1f: %s\n", report.floors(), kColdStartFloors,
          verdict(report.meets_floor()));
  } else {
    text += "ks_ort_floor is not beside the program: not compared with ONNX Runtime alone\n";
  }
}

double Megabytes(int64_t bytes) { return static_cast<double>(bytes) / 1e6; }

void PrintMemory(const char* when, const ProcessMemory& memory, std::string& text) {
  Print(text, "%-22s %10.1f %10.1f %10.1f\n", when, Megabytes(memory.resident_bytes), Megabytes(memory.anonymous_bytes),
        Megabytes(memory.peak_bytes));
}

}  // namespace

std::string BenchReportJson(const BenchReport& report) {
  JsonWriter json;
  json.BeginObject().Key("model").String(report.model).Key("precision").String(report.precision);
  json.Key("backend").String(report.backend).Key("version").String(report.version);
  json.Key("cpu").String(report.cpu).Key("isa").String(report.isa).Key("cores").Int(report.cores);
  json.Key("workers").Int(report.workers).Key("threads_per_run").Int(report.threads_per_run);
  if (!report.latency.empty()) {
    json.Key("latency").BeginArray();
    for (const LatencyRow& row : report.latency) {
      json.BeginObject().Key("sequences").Int(row.shape.sequences).Key("tokens").Int(row.shape.tokens);
      AppendSummary(row.run, json);
      json.EndObject();
    }
    json.EndArray();
  }
  if (!report.throughput.empty()) {
    json.Key("throughput").BeginArray();
    for (const ThroughputRow& row : report.throughput) {
      json.BeginObject().Key("callers").Int(row.callers);
      json.Key("texts_per_second").Fixed(row.texts_per_second, 1);
      json.Key("tokens_per_second").Fixed(row.tokens_per_second, 1);
      AppendSummary(row.answer, json);
      json.EndObject();
    }
    json.EndArray();
  }
  if (report.cold_start) AppendColdStart(*report.cold_start, json);
  if (report.memory) {
    json.Key("memory").BeginObject().Key("after_first_answer");
    AppendMemory(report.memory->after_first, json);
    json.Key("after_load");
    AppendMemory(report.memory->after_load, json);
    json.Key("load_texts").Int(report.memory->texts).EndObject();
  }
  json.EndObject();
  return IndentJson(json.text());
}

std::string BenchReportText(const BenchReport& report) {
  std::string text =
      Cat(report.model, ", ", report.precision, ", ", report.backend, "; ", report.cpu, ", ", report.cores,
          report.cores == 1 ? " core, " : " cores, ", report.isa, "; version ", report.version, "\n");
  if (!report.latency.empty()) {
    Print(text, "\n%-22s %s", "latency of a run", kTimes);
    for (const LatencyRow& row : report.latency) {
      Print(text, "%-22s ", Cat(row.shape.sequences, " x ", row.shape.tokens, " tokens").c_str());
      PrintSummary(row.run, text);
    }
  }
  if (!report.throughput.empty()) {
    Print(text, "\n%-9s %12s %s", "callers", "texts/s", kTimes);
    for (const ThroughputRow& row : report.throughput) {
      Print(text, "%-9d %12.1f ", row.callers, row.texts_per_second);
      PrintSummary(row.answer, text);
    }
  }
  if (report.cold_start) PrintColdStart(*report.cold_start, text);
  if (report.memory) {
    Print(text, "\n%-22s %10s %10s %10s\n", "memory, MB", "resident", "anonymous", "peak");
    PrintMemory("after the first answer", report.memory->after_first, text);
    PrintMemory(Cat("after ", report.memory->texts, " texts").c_str(), report.memory->after_load, text);
  }
  return text;
}

}  // namespace ks
