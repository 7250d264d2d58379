// Holds docs/metrics.md against what a scrape shows: every series with its type, its labels, its help text, and whether
// it is there from the start.
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace ks {
namespace {

struct Series {
  std::string type;
  std::set<std::string> labels;
  std::string help;
};

// "a{x="1",le="2"} 5" adds x: what a histogram's buckets have of their own is not a label of the series.
void AddLabels(const std::string& sample, std::set<std::string>& labels) {
  const size_t open = sample.find('{'), close = sample.rfind('}');
  if (open == std::string::npos) return;
  for (size_t begin = open + 1; begin < close;) {
    const size_t equals = sample.find('=', begin);
    const std::string label = sample.substr(begin, equals - begin);
    if (label != "le") labels.insert(label);
    begin = sample.find('"', equals + 2) + 1;
    if (sample[begin] == ',') ++begin;
  }
}

std::map<std::string, Series> Parse(const std::string& exposition) {
  std::map<std::string, Series> all;
  std::istringstream lines(exposition);
  std::string name;  // of the family whose samples follow
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash, keyword;
    if (line.starts_with("# ")) {
      words >> hash >> keyword >> name;
      std::string rest;
      std::getline(words >> std::ws, rest);
      (keyword == "HELP" ? all[name].help : all[name].type) = rest;
    } else {
      AddLabels(line, all[name].labels);
    }
  }
  return all;
}

struct Row {
  Series series;
  bool from_the_start = false;
};

std::string Trimmed(const std::string& text, const std::string& blanks) {
  const size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

// The rows of the page: | `name` | type | `label`, `label` | the start | help |
std::map<std::string, Row> ReadPage() {
  std::map<std::string, Row> rows;
  std::ifstream page(KS_SOURCE_DIR "/docs/metrics.md");
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("| `")) continue;
    std::vector<std::string> cells;
    std::istringstream rest(line.substr(1));
    for (std::string cell; std::getline(rest, cell, '|');) cells.push_back(Trimmed(cell, " "));
    EXPECT_EQ(cells.size(), 5u) << line;
    if (cells.size() != 5) continue;
    Row& row = rows[Trimmed(cells[0], "`")];
    row.series.type = cells[1];
    std::istringstream labels(cells[2]);
    for (std::string label; std::getline(labels, label, ',');) row.series.labels.insert(Trimmed(label, " `"));
    row.from_the_start = cells[3] == "the start";
    row.series.help = cells[4];
  }
  return rows;
}

TEST(MetricsPage, SaysWhatAScrapeShows) {
  Metrics metrics(Metrics::BuildLabels{{"onnxruntime", "1"}});
  const Log log(LogLevel::kError, [](std::string_view) {});
  metrics.AddLog(log);
  ModelMetrics& model = metrics.AddModel({"tiny", {"NEG", "POS"}, {"onnx"}});
  metrics.AddRoutes({{"/predict", "POST"}});
  model.SetActivePrecision("fp32", "default");
  metrics.SetColdStart(Duration(1));
  const std::map<std::string, Series> start = Parse(metrics.Scrape());
  model.CountFeedback(0, true);
  model.ObserveShadow({});
  model.SetPackageVerified(true);
  const std::map<std::string, Series> later = Parse(metrics.Scrape());

  const std::map<std::string, Row> page = ReadPage();
  for (const auto& [name, series] : later) {
    const auto row = page.find(name);
    if (row == page.end()) {
      ADD_FAILURE() << name << " is not in docs/metrics.md";
      continue;
    }
    EXPECT_EQ(row->second.series.type, series.type) << name;
    EXPECT_EQ(row->second.series.labels, series.labels) << name;
    EXPECT_EQ(row->second.series.help, series.help) << name;
    EXPECT_EQ(row->second.from_the_start, start.contains(name)) << name;
  }
  for (const auto& [name, row] : page) EXPECT_TRUE(later.contains(name)) << name << " is in docs/metrics.md alone";
}

}  // namespace
}  // namespace ks
