// What is appended to each row. Tested by table_test.cc.
#include <charconv>

#include "base/json_writer.h"
#include "cli/tables/columns.h"
#include "cli/tables/csv_table.h"
#include "cli/tables/table.h"

namespace ks {
namespace {

void AppendFloat(float value, std::string& out) {
  char buffer[32];
  out.append(buffer, std::to_chars(buffer, buffer + sizeof(buffer), value).ptr);
}

float TopScore(const RowScores& scores) { return scores.scores[static_cast<size_t>(scores.label)]; }

// csv and tsv: the same columns, separated and quoted each in its way.
class ColumnsWriter : public TableWriter {
 public:
  ColumnsWriter(char separator, bool header, const std::vector<std::string>& columns,
                const std::vector<std::string>& labels)
      : separator_(separator), header_(header), columns_(columns), labels_(labels) {}

  std::string Header() const override {
    if (!header_) return "";
    std::string line;
    for (const std::string& column : columns_) {
      AppendField(column, line);
      line.push_back(separator_);
    }
    std::vector<std::string> names = {"label", "score"};
    for (const std::string& label : labels_) names.push_back("score_" + label);
    names.push_back("error");
    // One appended name must not meet another one either: label "x" and a column "score_x" that became pred_score_x.
    std::vector<std::string> taken = columns_;
    for (std::string& name : names) {
      taken.push_back(FreeName(std::move(name), taken));
      AppendField(taken.back(), line);
      line.push_back(separator_);
    }
    line.back() = '\n';
    return line;
  }

  void Append(const Row& row, const RowScores* scores, std::string& out) const override {
    out += row.kept;
    out.push_back(separator_);
    if (scores != nullptr) {
      AppendField(labels_[static_cast<size_t>(scores->label)], out);
      out.push_back(separator_);
      AppendFloat(TopScore(*scores), out);
      for (const float score : scores->scores) {
        out.push_back(separator_);
        AppendFloat(score, out);
      }
    } else {
      out.append(1 + labels_.size(), separator_);
    }
    out.push_back(separator_);
    AppendField(row.error, out);
    out.push_back('\n');
  }

 private:
  void AppendField(std::string_view field, std::string& out) const {
    if (separator_ == ',') {
      AppendCsvField(field, out);
      return;
    }
    for (const char c : field) out.push_back(c == '\t' || c == '\n' || c == '\r' ? ' ' : c);
  }

  const char separator_;
  const bool header_;
  const std::vector<std::string> columns_;
  const std::vector<std::string> labels_;
};

class JsonlWriter final : public TableWriter {
 public:
  explicit JsonlWriter(const std::vector<std::string>& labels) : labels_(labels) {}

  std::string Header() const override { return ""; }

  void Append(const Row& row, const RowScores* scores, std::string& out) const override {
    JsonWriter json;  // a whole object; its brace is left out below
    json.BeginObject();
    json.Key(FreeName("label", row.members));
    scores == nullptr ? json.Null() : json.String(labels_[static_cast<size_t>(scores->label)]);
    json.Key(FreeName("score", row.members));
    scores == nullptr ? json.Null() : json.Float(TopScore(*scores));
    json.Key(FreeName("scores", row.members));
    if (scores == nullptr) {
      json.Null();
    } else {
      json.BeginObject();
      for (size_t i = 0; i < labels_.size(); ++i) json.Key(labels_[i]).Float(scores->scores[i]);
      json.EndObject();
    }
    json.Key(FreeName("error", row.members));
    row.error.empty() ? json.Null() : json.String(row.error);
    json.EndObject();
    out += row.kept;
    if (!row.members.empty()) out.push_back(',');
    out.append(json.text(), 1);
    out.push_back('\n');
  }

 private:
  const std::vector<std::string> labels_;
};

class TextWriter final : public TableWriter {
 public:
  explicit TextWriter(const std::vector<std::string>& labels) : labels_(labels) {}

  std::string Header() const override { return ""; }

  void Append(const Row& row, const RowScores* scores, std::string& out) const override {
    if (scores != nullptr) out += labels_[static_cast<size_t>(scores->label)];
    out.push_back('\t');
    if (scores != nullptr) AppendFloat(TopScore(*scores), out);
    out.push_back('\t');
    out += row.kept;
    out.push_back('\n');
  }

 private:
  const std::vector<std::string> labels_;
};

}  // namespace

std::unique_ptr<TableWriter> MakeTableWriter(TableFormat format, bool header, const std::vector<std::string>& columns,
                                             const std::vector<std::string>& labels) {
  switch (format) {
    case TableFormat::kCsv:
      return std::make_unique<ColumnsWriter>(',', header, columns, labels);
    case TableFormat::kTsv:
      return std::make_unique<ColumnsWriter>('\t', header, columns, labels);
    case TableFormat::kJsonl:
      return std::make_unique<JsonlWriter>(labels);
    case TableFormat::kText:
      break;
  }
  return std::make_unique<TextWriter>(labels);
}

}  // namespace ks
