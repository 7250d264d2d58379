// What a validation found, for programs and for people.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "measure/batch_invariance.h"
#include "measure/comparison.h"
#include "measure/data_set.h"
#include "measure/gates.h"
#include "measure/layers.h"

namespace ks {

// The value of the report's "format" and its "version": docs/validation.md describes this one.
inline constexpr char kReportFormat[] = "kubesentiment-validation";
inline constexpr int kReportVersion = 1;

struct SideDescription {
  std::string backend;    // "onnx", "pytorch"
  std::string precision;  // "fp32", "int8"

  // "int8", or "pytorch" for a backend that is not the usual one: as --candidate and --reference take it.
  std::string Name() const { return backend == "pytorch" ? backend : precision; }
};

// A whole validation. Nothing in it depends on time, host or path of the package.
struct ValidationReport {
  std::string model;
  std::string source_sha256;        // of the checkpoint: the manifest's
  std::vector<std::string> labels;  // of the model
  float temperature = 1;
  int window = 0;
  Sides<SideDescription> sides;
  size_t samples = 0;  // how many texts were to be kept; 0: all
  DataSet data;
  TokenizedTexts texts;  // of data.examples
  Comparison comparison;
  std::optional<LayerComparison> layers;  // of the first examples
  std::vector<InvarianceResult> invariance;
  std::vector<GateResult> gates;

  bool passed() const { return AllPassed(gates); }
};

// The report as JSON, the same bytes for the same report. A closed set of members, listed in docs/validation.md. Holds
// the worst texts themselves.
std::string ReportJson(const ValidationReport& report);

// One HTML page without references to anything else; follows the reader's light or dark scheme. Holds the worst texts.
std::string ReportHtml(const ValidationReport& report);

// A few lines for a terminal, without texts.
std::string ReportText(const ValidationReport& report);

// Where a failure is explained: one sentence that names each bound that was not kept, the value found, and what to try
// next; then the texts that are furthest apart, by file and line. Empty where everything passed.
std::string FailureText(const ValidationReport& report);

}  // namespace ks
