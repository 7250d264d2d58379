// The reporter of the kernels' benchmarks.
#pragma once

#include <benchmark/benchmark.h>

#include <vector>

namespace ks {

// A case that failed its check is an error of the run, not a line in the table.
class FailingReporter : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) failed_ |= run.error_occurred;
    ConsoleReporter::ReportRuns(runs);
  }
  bool failed() const { return failed_; }

 private:
  bool failed_ = false;
};

}  // namespace ks
