// Tested by report_test.cc.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"
#include "base/strings.h"
#include "measure/report.h"
#include "measure/svg.h"

namespace ks {
namespace {

// Text keeps a contrast of at least 4.5 in both schemes.
constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Validation</title>
<style>
:root { color-scheme: light dark; --ink: #1c2128; --paper: #ffffff; --soft: #57606a; --line: #d0d7de; --bar: #2f6fb3; --good: #1a7f37; --bad: #cf222e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #0d1117; --soft: #9aa4af; --line: #30363d; --bar: #58a6ff; --good: #3fb950; --bad: #ff7b72; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid var(--line); }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.t { overflow-wrap: anywhere; min-width: 20rem; }
.soft { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
.plots { display: flex; flex-wrap: wrap; gap: 2rem; }
figure { margin: 0; overflow-x: auto; } figcaption { color: var(--soft); }
svg text { font: 11px system-ui, sans-serif; fill: var(--ink); } .bar, .cell { fill: var(--bar); } .axis { stroke: var(--soft); } .mark { fill: var(--ink); }
</style>
</head>
<body>
)";

void Heading(std::string& html, std::string_view text) { html += Cat("<h2>", text, "</h2>\n"); }

// A row of a table: cells that hold HTML already, numbers aligned to the right where `number` says so.
struct Cell {
  std::string html;
  bool number = false;
};
void AppendRow(std::string& html, const std::vector<Cell>& cells, std::string_view tag = "td") {
  html += "<tr>";
  for (const Cell& cell : cells) html += Cat("<", tag, cell.number ? " class=\"n\">" : ">", cell.html, "</", tag, ">");
  html += "</tr>\n";
}

Cell Number(std::string text) { return {std::move(text), true}; }
Cell Count(int64_t count) { return {Cat(count), true}; }
Cell Percent(double share) { return {absl::StrFormat("%.2f %%", 100 * share), true}; }
Cell Small(double value) { return {absl::StrFormat("%.3g", value), true}; }
Cell Plain(std::string_view text) { return {EscapeHtml(text), false}; }

double Share(int64_t part, int64_t all) { return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all); }

void AppendSummary(std::string& html, const ValidationReport& report) {
  const Comparison& c = report.comparison;
  html += Cat("<h1>", EscapeHtml(report.model), ": ", report.sides.candidate.Name(), " against ",
              report.sides.reference.Name(), "</h1>\n<p class=\"", report.passed() ? "good\">passed" : "bad\">failed",
              "</p>\n<p class=\"soft\">", c.texts, " of ", report.data.rows(), " rows",
              c.texts < report.data.rows() ? ", those whose texts have the smallest SHA-256" : "", "; window ",
              report.window, " tokens; checkpoint ", EscapeHtml(report.source_sha256.substr(0, 12)), "</p>\n");
  html += "<table>\n";
  AppendRow(html, {Plain(""), Number("max"), Number("mean"), Number("p99")}, "th");
  AppendRow(html, {Plain("|difference| of probabilities"), Small(c.probabilities.max), Small(c.probabilities.mean),
                   Small(c.probabilities.p99)});
  AppendRow(html, {Plain("|difference| of logits"), Small(c.logits.max), Small(c.logits.mean), Small(c.logits.p99)});
  html += Cat("</table>\n<p>The same label on ", c.agreeing, " of ", c.texts,
              " texts: ", absl::StrFormat("%.4g %%", 100 * c.Agreement()), "</p>\n");
}

void AppendGates(std::string& html, const ValidationReport& report) {
  Heading(html, "Gates");
  html += "<table>\n";
  for (const GateResult& gate : report.gates) {
    html += Cat("<tr><td class=\"", gate.passed ? "good\">passed" : "bad\">failed", "</td><td>",
                EscapeHtml(gate.sentence), "</td><td class=\"soft\">", EscapeHtml(gate.flag), "</td></tr>\n");
  }
  html += "</table>\n";
}

// "3e-04" as "0.0003" would not fit below a bar.
std::string PowerLabel(double value) { return value == 0 ? "0" : absl::StrFormat("%.0e", value); }

void AppendHistogram(std::string& html, const Comparison& c) {
  BarChart chart = {.title = "texts by their largest difference",
                    .axis = "largest |difference| of a probability, from",
                    .from = 0,
                    .to = 1,
                    .bars = {}};
  for (const HistogramBin& bin : c.histogram) {
    // Logarithmic, so that the few texts that are far apart show beside the many that are not.
    chart.bars.push_back({PowerLabel(bin.from), std::log10(1.0 + static_cast<double>(bin.texts)), Cat(bin.texts)});
    chart.to = std::max(chart.to, chart.bars.back().value);
  }
  html += Cat("<figure>", DrawBars(chart),
              "<figcaption>Texts by their largest difference, both axes logarithmic</figcaption></figure>\n");
}

void AppendLengths(std::string& html, const Comparison& c) {
  double lowest = 1;
  for (const LengthBucket& bucket : c.lengths) lowest = std::min(lowest, Share(bucket.agreeing, bucket.texts));
  BarChart chart = {.title = "agreement by length", .axis = "tokens", .from = 0, .to = 1, .bars = {}};
  // Differences of a tenth of a point must show.
  if (lowest > 0.9) chart.from = std::min(0.99, std::floor(lowest * 100 - 1) / 100);
  for (const LengthBucket& bucket : c.lengths) {
    const double share = Share(bucket.agreeing, bucket.texts);
    chart.bars.push_back({Cat(bucket.from, "-", bucket.to), share, absl::StrFormat("%.2f", 100 * share)});
  }
  html += Cat("<figure>", DrawBars(chart), "<figcaption>Texts with the same label, % by length; the bars begin at ",
              absl::StrFormat("%.0f %%", 100 * chart.from), "</figcaption></figure>\n");
}

std::vector<std::string> ClassNames(const ValidationReport& report) {
  std::vector<std::string> names;
  for (const int c : report.comparison.classes) names.push_back(report.labels[c]);
  return names;
}

void AppendMatrices(std::string& html, const ValidationReport& report) {
  Heading(html, "Labels");
  const std::vector<std::string> names = ClassNames(report);
  const Comparison& c = report.comparison;
  const std::string reference = report.sides.reference.Name();
  const std::string candidate = report.sides.candidate.Name();
  html += Cat("<div class=\"plots\">\n<figure>", DrawMatrix(c.sides, names, reference, candidate),
              "<figcaption>The two sides</figcaption></figure>\n");
  if (c.accuracy) {
    for (const auto& [name, matrix] : {std::pair(reference, c.accuracy->confusion.reference),
                                       std::pair(candidate, c.accuracy->confusion.candidate)}) {
      html += Cat("<figure>", DrawMatrix(matrix, names, "label given", name), "<figcaption>", name,
                  absl::StrFormat(": accuracy %.2f %%, macro-recall %.2f %%", 100 * matrix.Accuracy(),
                                  100 * matrix.MacroRecall()),
                  "</figcaption></figure>\n");
    }
  }
  html += "</div>\n";
}

void AppendReliability(std::string& html, const ValidationReport& report) {
  if (!report.comparison.reliability) return;
  Heading(html, "Calibration");
  html +=
      "<p class=\"soft\">How often the label on top is right, by its probability. The expected calibration error is "
      "the "
      "mean distance of the bars' tops from the marks, each bar weighed by its texts; pale bars have few.</p>\n"
      "<div class=\"plots\">\n";
  const auto append = [&](const std::string& name, const SideReliability& side) {
    html +=
        Cat("<figure>", DrawReliability(side.served, Cat("reliability of ", name)), "<figcaption>", name,
            absl::StrFormat(": expected calibration error %.4f at temperature %.4g;<br>%.4f at %.4g, which fits the "
                            "labels best",
                            side.served.error, side.served.temperature, side.fitted.error, side.fitted.temperature),
            "</figcaption></figure>\n");
  };
  append(report.sides.reference.Name(), report.comparison.reliability->reference);
  append(report.sides.candidate.Name(), report.comparison.reliability->candidate);
  html += "</div>\n";
}

void AppendFiles(std::string& html, const ValidationReport& report) {
  Heading(html, "Files");
  const std::string reference = report.sides.reference.Name();
  const std::string candidate = report.sides.candidate.Name();
  html += "<table>\n";
  AppendRow(html,
            {Plain("file"), Number("texts"), Number("same label"), Number(Cat("accuracy ", reference)),
             Number(candidate), Number(Cat("macro-recall ", reference)), Number(candidate), Number("lost"),
             Number("gained"), Number("p (McNemar)"), Number("p (Holm)")},
            "th");
  for (const FileComparison& file : report.comparison.files) {
    std::vector<Cell> row = {Plain(report.data.files[file.file].name), Count(file.texts),
                             Percent(Share(file.agreeing, file.texts))};
    if (file.accuracy) {
      const auto& [ours, theirs] = std::pair(file.accuracy->confusion.candidate, file.accuracy->confusion.reference);
      row.insert(row.end(), {Percent(theirs.Accuracy()), Percent(ours.Accuracy()), Percent(theirs.MacroRecall()),
                             Percent(ours.MacroRecall()), Count(file.accuracy->lost), Count(file.accuracy->gained),
                             Small(file.p_value), Small(file.p_adjusted)});
    } else {
      row.push_back(Plain("no labels"));
    }
    AppendRow(html, row);
  }
  html += "</table>\n";
}

void AppendLayers(std::string& html, const ValidationReport& report) {
  if (!report.layers) return;
  Heading(html, "Layers");
  html += Cat("<p class=\"soft\">Root mean square of the difference over that of the reference, ", report.layers->texts,
              " texts</p>\n<table>\n");
  AppendRow(html, {Plain("after"), Number("all texts"), Number("worst text"), Number("tolerance"), Number("outside")},
            "th");
  for (const LayerDifference& layer : report.layers->layers) {
    AppendRow(html,
              {Plain(layer.tap), Small(layer.difference), Small(layer.worst.empty() ? 0 : layer.worst[0].difference),
               Small(layer.tolerance), Count(layer.outside)});
  }
  html += "</table>\n";
}

void AppendInvariance(std::string& html, const ValidationReport& report) {
  if (report.invariance.empty()) return;
  Heading(html, Cat("Alone and in batches of ", kSmallestBatch, " to ", kLargestBatch));
  html += "<table>\n";
  AppendRow(html,
            {Plain("instruction set"), Number("texts"), Number("in batches"), Number("places"), Number("other bits")},
            "th");
  for (const InvarianceResult& result : report.invariance) {
    AppendRow(html, {Plain(result.isa), Count(result.texts), Count(result.batched),
                     Number(Cat(result.places, " of ", kBatchPlaces)), Count(result.different)});
  }
  html += "</table>\n";
}

// "NEGATIVE 0.9812, NEUTRAL 0.0101, .."
std::string Scores(const ValidationReport& report, const std::vector<float>& scores) {
  std::string out;
  for (size_t i = 0; i < scores.size(); ++i) {
    out += Cat(i == 0 ? "" : "<br>", EscapeHtml(report.labels[i]), absl::StrFormat(" %.4f", scores[i]));
  }
  return out;
}

void AppendWorst(std::string& html, const ValidationReport& report) {
  Heading(html, "The texts that are furthest apart");
  html += "<table>\n";
  AppendRow(html,
            {Plain("where"), Number("tokens"), Plain("text"), Plain("label"), Plain(report.sides.reference.Name()),
             Plain(report.sides.candidate.Name())},
            "th");
  for (const WorstText& worst : report.comparison.worst) {
    const Example& example = report.data.examples[worst.example];
    html +=
        Cat("<tr><td>", EscapeHtml(report.data.files[example.file].name), ":", example.line, "</td><td class=\"n\">",
            report.texts.tokens(worst.example), "</td><td class=\"t\">", EscapeHtml(example.text), "</td><td>",
            example.label == kNoLabel ? "" : EscapeHtml(report.labels[example.label]), "</td><td class=\"n\">",
            Scores(report, worst.scores.reference), "</td><td class=\"n\">", Scores(report, worst.scores.candidate),
            "</td></tr>\n");
  }
  html += "</table>\n";
}

}  // namespace

std::string ReportHtml(const ValidationReport& report) {
  std::string html(kHead);
  AppendSummary(html, report);
  AppendGates(html, report);
  Heading(html, "Differences");
  html += "<div class=\"plots\">\n";
  AppendHistogram(html, report.comparison);
  AppendLengths(html, report.comparison);
  html += "</div>\n";
  AppendMatrices(html, report);
  AppendReliability(html, report);
  AppendFiles(html, report);
  AppendLayers(html, report);
  AppendInvariance(html, report);
  AppendWorst(html, report);
  return html + "</body>\n</html>\n";
}

}  // namespace ks
