// Tested by report_test.cc.
#include <algorithm>
#include <initializer_list>

#include "absl/strings/str_format.h"
#include "base/strings.h"
#include "measure/report.h"

namespace ks {
namespace {

constexpr size_t kListedOnFailure = 20;

void AppendAccuracy(std::string_view name, const AccuracyComparison& accuracy, std::string& out) {
  const auto& [reference, candidate] = accuracy.confusion;
  absl::StrAppendFormat(&out, "%s: accuracy %.2f %% -> %.2f %%, macro-recall %.2f %% -> %.2f %%, %d lost, %d gained\n",
                        std::string(name), 100 * reference.Accuracy(), 100 * candidate.Accuracy(),
                        100 * reference.MacroRecall(), 100 * candidate.MacroRecall(), accuracy.lost, accuracy.gained);
}

void AppendReliability(std::string_view name, const SideReliability& side, std::string& out) {
  absl::StrAppendFormat(&out,
                        "%s: expected calibration error %.4f at temperature %.4g; %.4f at %.4g, which fits the labels "
                        "best\n",
                        std::string(name), side.served.error, side.served.temperature, side.fitted.error,
                        side.fitted.temperature);
}

// "data.tsv line 12"
std::string Place(const ValidationReport& report, int i) {
  const Example& example = report.data.examples[i];
  return Cat(report.data.files[example.file].name, " line ", example.line);
}

std::string LabelAndScore(const ValidationReport& report, int label, const std::vector<float>& scores) {
  return absl::StrFormat("%s %.4f", report.labels[label], scores[label]);
}

std::string LayerSentence(const ValidationReport& report) {
  const LayerDifference& first = *report.layers->FirstOutside();
  return Cat("the sides part at ", first.tap, ", where ", first.outside, " of ", report.layers->texts,
             " texts leave the tolerance");
}

bool Failed(const ValidationReport& report, std::string_view name) {
  return std::ranges::any_of(report.gates, [&](const GateResult& gate) { return gate.name == name && !gate.passed; });
}

// Whether a bound failed that the reference keeps by definition: the sides differ too much.
bool SidesDiffer(const ValidationReport& report) {
  return std::ranges::any_of(std::initializer_list<std::string_view>{"max-diff", "mean-diff", "min-agreement",
                                                                     "max-accuracy-loss", "accuracy-significance"},
                             [&](std::string_view name) { return Failed(report, name); });
}

// What tells more about a failure that was not asked for yet.
std::string NextStep(const ValidationReport& report) {
  if (report.layers && report.layers->FirstOutside() != nullptr) return LayerSentence(report);
  if (SidesDiffer(report)) {
    if (!report.layers) return "try --layers, which tells where the two sides part";
    return "no layer leaves its tolerance: look at the texts below";
  }
  if (Failed(report, "checkpoint")) return "convert the checkpoint again";
  if (Failed(report, "min-accuracy") && report.comparison.accuracy) {
    return absl::StrFormat(
        "the reference reaches %.2f %%, so it is the model, the data or the labels: try --checkpoint, which compares "
        "their order",
        100 * report.comparison.accuracy->confusion.reference.Accuracy());
  }
  return "";
}

}  // namespace

std::string ReportText(const ValidationReport& report) {
  const Comparison& c = report.comparison;
  std::string out = absl::StrFormat(
      "%s: %s against %s over %d of %d rows\nagreement %.4g %% (%d of %d)\n|dp| max %.3g, mean %.3g, p99 %.3g; logits "
      "max "
      "%.3g, mean %.3g, p99 %.3g\n",
      report.model, report.sides.candidate.Name(), report.sides.reference.Name(), c.texts, report.data.rows(),
      100 * c.Agreement(), c.agreeing, c.texts, c.probabilities.max, c.probabilities.mean, c.probabilities.p99,
      c.logits.max, c.logits.mean, c.logits.p99);
  for (const FileComparison& file : c.files) {
    if (file.accuracy) AppendAccuracy(report.data.files[file.file].name, *file.accuracy, out);
  }
  if (c.reliability) {
    AppendReliability(report.sides.reference.Name(), c.reliability->reference, out);
    AppendReliability(report.sides.candidate.Name(), c.reliability->candidate, out);
  }
  if (report.layers) {
    out += "layer       difference  tolerance  outside\n";
    for (const LayerDifference& layer : report.layers->layers) {
      absl::StrAppendFormat(&out, "%-11s %10.2e %10.2e %8d\n", layer.tap, layer.difference, layer.tolerance,
                            layer.outside);
    }
  }
  for (const InvarianceResult& result : report.invariance) {
    absl::StrAppendFormat(&out, "batches of %d to %d on %s: %d texts, %d of %d places, %d of %d differ\n",
                          kSmallestBatch, kLargestBatch, result.isa, result.texts, result.places, kBatchPlaces,
                          result.different, result.batched);
  }
  for (const GateResult& gate : report.gates) {
    out += Cat(gate.passed ? "passed  " : "FAILED  ", gate.sentence, gate.flag.empty() ? "" : Cat(" (", gate.flag, ")"),
               "\n");
  }
  return out;
}

std::string FailureText(const ValidationReport& report) {
  if (report.passed()) return "";
  std::string out = "validation failed: ";
  std::string_view separator = "";
  for (const GateResult& gate : report.gates) {
    if (gate.passed) continue;
    out += Cat(separator, gate.sentence, " (", gate.flag.empty() ? gate.name : gate.flag, ")");
    separator = "; ";
  }
  const std::string next = NextStep(report);
  out += Cat(next.empty() ? "" : "; ", next, ".\n");
  const auto& worst = report.comparison.worst;
  for (size_t i = 0; i < std::min(kListedOnFailure, worst.size()) && worst[i].difference > 0; ++i) {
    absl::StrAppendFormat(
        &out, "  %s, %d tokens: %s %s, %s %s\n", Place(report, worst[i].example), report.texts.tokens(worst[i].example),
        report.sides.reference.Name(), LabelAndScore(report, worst[i].label.reference, worst[i].scores.reference),
        report.sides.candidate.Name(), LabelAndScore(report, worst[i].label.candidate, worst[i].scores.candidate));
  }
  return out;
}

}  // namespace ks
