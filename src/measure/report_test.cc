#include "measure/report.h"

#include <algorithm>
#include <fstream>
#include <set>

#include "base/json.h"
#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "measure/svg.h"

namespace ks {
namespace {
using testing::HasSubstr;
using testing::Not;

// Every part of a report filled. One text in ten is another label; the last one is hostile to HTML.
ValidationReport FullReport() {
  ValidationReport report;
  report.model = "tiny";
  report.source_sha256 = "0123456789abcdef";
  report.labels = {"NEG", "<POS>"};
  report.window = 64;
  report.sides = {{"onnx", "fp32"}, {"onnx", "int8"}};
  report.samples = 30;
  report.data.files = {{.name = "a.tsv", .rows = 40, .labelled = true}};
  Logits reference = {.values = {}, .sequences = 30, .classes = 2};
  Logits candidate = reference;
  for (int i = 0; i < 30; ++i) {
    const float flip = i % 10 == 0 ? -1.0f : 1.0f;
    reference.values.insert(reference.values.end(), {1, -1});
    candidate.values.insert(candidate.values.end(), {flip + 0.001f * static_cast<float>(i), -flip});
    report.data.examples.push_back({.text = Cat("text ", i), .label = 0, .file = 0, .line = i + 1});
    for (int t = 0; t <= i; ++t) report.texts.ids.push_back(t);
    report.texts.offsets.push_back(static_cast<int64_t>(report.texts.ids.size()));
  }
  report.data.examples[0].text = "<script>alert(\"x\") & more</script>";
  ClassifierSpec spec;
  spec.labels = report.labels;
  report.comparison = Compare({.data = &report.data,
                               .texts = &report.texts,
                               .logits = {&reference, &candidate},
                               .spec = &spec,
                               .temperature = 1,
                               .classes = {}});
  report.layers = LayerComparison{
      .texts = 2,
      .layers = {{.tap = "embeddings", .difference = 0, .tolerance = 0.1, .outside = 0, .worst = {{0, 0.0}}},
                 {.tap = "layer.0", .difference = 0.2, .tolerance = 0.1, .outside = 2, .worst = {{1, 0.3}, {0, 0.2}}}}};
  report.invariance = {
      {.isa = "scalar", .texts = 30, .batched = 90, .places = 100, .different = 1, .first_different = 3}};
  report.gates = Judge(report.comparison, report.data, DefaultGates("int8"));
  return report;
}

// "a.b[].c" of every member below `value`; arrays of numbers and strings are values.
void CollectPaths(const JsonValue& value, const std::string& path, std::set<std::string>& paths) {
  if (value.is_object()) {
    const auto object = value.AsObject();
    for (const auto& member : object->members()) {
      const std::string below = path.empty() ? std::string(member.key) : Cat(path, ".", member.key);
      CollectPaths(member.value, below, paths);
    }
    return;
  }
  if (value.is_array()) {
    bool objects = false;
    const auto elements = value.AsArray();
    for (const JsonValue& element : *elements) {
      if (!element.is_object()) continue;
      objects = true;
      CollectPaths(element, path + "[]", paths);
    }
    if (objects) return;
  }
  paths.insert(path);
}

// The first column of the table in docs/validation.md. A member that "is as" another one stands there once.
std::set<std::string> DocumentedPaths() {
  std::ifstream file(std::string(KS_SOURCE_DIR) + "/docs/validation.md");
  std::set<std::string> paths;
  std::string line;
  while (std::getline(file, line) && line != "| member | what it is |") {
  }
  while (std::getline(file, line)) {
    if (line.starts_with("| `")) paths.insert(line.substr(3, line.find('`', 3) - 3));
  }
  return paths;
}

TEST(ReportJson, HoldsWhatIsDocumentedAndNothingElse) {
  const auto document = JsonDocument::Parse(ReportJson(FullReport()), "report");
  ASSERT_TRUE(document.ok()) << document.status();
  std::set<std::string> found;
  CollectPaths(document->root(), "", found);
  const std::set<std::string> documented = DocumentedPaths();
  ASSERT_GT(documented.size(), 50u);
  for (const std::string& path : found) {
    // A part that is documented as a whole, or by its own members.
    bool known = documented.contains(path);
    for (size_t dot = path.rfind('.'); !known && dot != std::string::npos; dot = path.rfind('.', dot - 1)) {
      const std::string prefix = path.substr(0, dot);
      known = documented.contains(prefix) && (prefix == "files[].accuracy" || prefix == "lengths[].probabilities");
      if (dot == 0) break;
    }
    EXPECT_TRUE(known) << path << " is not in docs/validation.md";
  }
  for (const std::string& path : documented) {
    const auto begins = [&](const std::string& other) {
      return other == path || other.starts_with(path + ".") || other.starts_with(path + "[");
    };
    EXPECT_TRUE(std::ranges::any_of(found, begins)) << path << " is not in the report";
  }
}

TEST(ReportJson, IsTheSameForTheSameReport) { EXPECT_EQ(ReportJson(FullReport()), ReportJson(FullReport())); }

TEST(ReportJson, SaysHowItSampled) {
  ValidationReport report = FullReport();
  EXPECT_THAT(ReportJson(report), HasSubstr("\"sampling\": \"smallest sha256 of the text\""));
  report.data.files[0].rows = 30;
  EXPECT_THAT(ReportJson(report), HasSubstr("\"sampling\": \"all rows\""));
}

TEST(ReportHtml, IsOnePageThatNeedsNothingElse) {
  const std::string html = ReportHtml(FullReport());
  EXPECT_THAT(html, Not(HasSubstr("http")));
  EXPECT_THAT(html, Not(HasSubstr("src=")));
  EXPECT_THAT(html, HasSubstr("prefers-color-scheme: dark"));
  EXPECT_THAT(html, HasSubstr("<svg"));
  EXPECT_THAT(html, HasSubstr("<title>reliability of int8</title>"));
  EXPECT_TRUE(html.ends_with("</html>\n"));
}

TEST(ReportHtml, EscapesWhatTheUserWrote) {
  const std::string html = ReportHtml(FullReport());
  EXPECT_THAT(html, Not(HasSubstr("<script>")));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(&quot;x&quot;) &amp; more"));
  EXPECT_THAT(html, Not(HasSubstr("<POS>")));
  EXPECT_EQ(EscapeHtml("a\x01\"<b>"), "a &quot;&lt;b&gt;");
}

TEST(ReportText, TellsNumbersAndNoTexts) {
  const std::string text = ReportText(FullReport());
  EXPECT_THAT(text, HasSubstr("tiny: int8 against fp32 over 30 of 40 rows"));
  EXPECT_THAT(text, HasSubstr("agreement 90 % (27 of 30)"));
  EXPECT_THAT(text, HasSubstr("int8: expected calibration error 0."));
  EXPECT_THAT(text, HasSubstr(" at temperature 1; 0."));
  EXPECT_THAT(text, HasSubstr("FAILED"));
  EXPECT_THAT(text, Not(HasSubstr("script")));
}

TEST(FailureText, NamesBoundsValuesFlagsAndTexts) {
  const std::string text = FailureText(FullReport());
  EXPECT_THAT(text, HasSubstr("validation failed: the mean |difference|"));
  EXPECT_THAT(
      text, HasSubstr("(--mean-diff); the share of texts with the same label is 90 %, below 99.5 % (--min-agreement)"));
  EXPECT_THAT(text, HasSubstr("part at layer.0, where 2 of 2 texts"));
  EXPECT_THAT(text, HasSubstr("  a.tsv line 1, 1 tokens: fp32 NEG 0.8808, int8 <POS> 0.8808\n"));
  EXPECT_THAT(text, Not(HasSubstr("script")));
  ValidationReport without = FullReport();
  without.layers.reset();
  EXPECT_THAT(FailureText(without), HasSubstr("try --layers"));
}

TEST(FailureText, LooksForTheFaultWhereItIs) {
  ValidationReport report = FullReport();
  report.layers.reset();
  report.gates = Judge(report.comparison, report.data, {.min_accuracy = 0.95});
  EXPECT_THAT(FailureText(report), HasSubstr("the reference reaches 100.00 %"));
  EXPECT_THAT(FailureText(report), HasSubstr("--checkpoint"));
  report.comparison.accuracy.reset();
  report.gates = Judge(report.comparison, report.data, {.min_accuracy = 0.95});
  EXPECT_THAT(FailureText(report), HasSubstr("(--label-column names the column) (--min-accuracy).\n"));
  report.gates = {{.name = "checkpoint", .flag = "--checkpoint", .sentence = "label 0 is A"}};
  EXPECT_THAT(FailureText(report), HasSubstr("label 0 is A (--checkpoint); convert the checkpoint again."));
}

TEST(FailureText, IsEmptyWhereAllPassed) {
  ValidationReport report = FullReport();
  report.gates.clear();
  EXPECT_EQ(FailureText(report), "");
}

TEST(DrawBars, ShowsASingleTextBesideMany) {
  const std::string svg = DrawBars({.title = "t",
                                    .axis = "a",
                                    .from = 0,
                                    .to = 1e6,
                                    .bars = {{"x", 1, "1"}, {"y", 1e6, "many"}, {"z", 0, "0"}, {"w", 2e6, "cut"}}});
  EXPECT_THAT(svg, HasSubstr("height=\"1.0\""));
  EXPECT_THAT(svg, HasSubstr("height=\"0.0\""));
  EXPECT_THAT(svg, HasSubstr("height=\"160.0\""));
  EXPECT_THAT(svg, Not(HasSubstr("height=\"320.0\"")));
}

TEST(DrawReliability, PutsBarsAndMarksWhereTheyBelong) {
  Reliability reliability = {.bins = std::vector<ReliabilityBin>(kReliabilityBins)};
  reliability.bins[12] = {.texts = 4, .confidence = 0.825, .accuracy = 0.5};
  reliability.bins[14] = {.texts = 8, .confidence = 1, .accuracy = 1};
  const std::string svg = DrawReliability(reliability, "of <int8>");
  EXPECT_THAT(svg, HasSubstr("<title>of &lt;int8&gt;</title>"));
  // The plot is 240 wide and high from (48, 24) on; a bin is 16 wide.
  EXPECT_THAT(svg, HasSubstr("x=\"241.0\" y=\"144.0\" width=\"14.0\" height=\"120.0\" fill-opacity=\"0.625\""));
  EXPECT_THAT(svg, HasSubstr("<title>4 texts: mean probability 0.825, accuracy 0.500</title>"));
  EXPECT_THAT(svg, HasSubstr("cx=\"246.0\" cy=\"66.0\""));
  EXPECT_THAT(svg, HasSubstr("x=\"273.0\" y=\"24.0\" width=\"14.0\" height=\"240.0\" fill-opacity=\"1.000\""));
  size_t bars = 0;
  for (size_t at = svg.find("<rect"); at != std::string::npos; at = svg.find("<rect", at + 1)) ++bars;
  EXPECT_EQ(bars, 2u);
}

TEST(DrawMatrix, ShortensLongNamesBetweenCharacters) {
  ConfusionMatrix matrix(1);
  matrix.Add(0, 0);
  EXPECT_THAT(DrawMatrix(matrix, {"twelve bytes\xC3\xA9\xC3\xA9"}, "r", "c"), HasSubstr(">twelve bytes&#8230;<"));
}

}  // namespace
}  // namespace ks
