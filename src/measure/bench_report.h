// What `bench` found, for people and for programs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "measure/bench_coldstart.h"
#include "measure/bench_latency.h"
#include "measure/bench_process.h"
#include "measure/bench_throughput.h"

namespace ks {

// Scenarios that were not asked for are empty.
struct BenchReport {
  // What was measured, and on what.
  std::string model, precision, backend;
  std::string cpu, isa, version;
  int cores = 0;            // that may be used
  int workers = 0;          // backend objects of the throughput
  int threads_per_run = 0;  // of the latency

  std::vector<LatencyRow> latency;
  std::vector<ThroughputRow> throughput;
  std::optional<ColdStartReport> cold_start;
  std::optional<MemoryReport> memory;
};

// Keys as documented in docs/cli.md; absent scenarios have none. Times are in milliseconds.
std::string BenchReportJson(const BenchReport& report);

// The same as text in columns.
std::string BenchReportText(const BenchReport& report);

}  // namespace ks
