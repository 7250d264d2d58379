// Tab-separated values, raw: no quoting, a tab ends a field, a line feed ends the row. Tested by table_test.cc.
#include "base/status_macros.h"
#include "cli/tables/columns.h"
#include "cli/tables/line_reader.h"
#include "cli/tables/line_tables.h"

namespace ks {
namespace {

// The fields of a line; of more than kMaxColumns one more than that.
std::vector<std::string_view> SplitTabs(std::string_view line) {
  std::vector<std::string_view> fields;
  while (true) {
    const size_t tab = line.find('\t');
    fields.push_back(line.substr(0, tab));
    if (tab == std::string_view::npos || fields.size() > kMaxColumns) return fields;
    line.remove_prefix(tab + 1);
  }
}

class TsvTable final : public TableReader {
 public:
  TsvTable(std::unique_ptr<ByteSource> source, const TableOptions& options)
      : lines_(std::move(source), options.max_row_bytes), options_(options) {}

  // Reads the header, or looks at the first row for the number of columns.
  absl::Status Begin(const std::string& name) {
    KS_ASSIGN_OR_RETURN(const bool any, NextLine(first_));
    if (!any) {
      if (options_.header) return InvalidArgument(name, ": expected a header, found an empty file");
      return absl::OkStatus();
    }
    const auto fields = SplitTabs(first_.text);
    width_ = fields.size();
    if (options_.header) {
      columns_.assign(fields.begin(), fields.end());
      KS_ASSIGN_OR_RETURN(chosen_, ChooseNamedColumns(columns_, options_, name));
      has_labels_ = chosen_.label.has_value();
      return absl::OkStatus();
    }
    KS_ASSIGN_OR_RETURN(chosen_, ChooseNumberedColumns(width_, options_, name));
    has_labels_ = chosen_.label.has_value();
    first_pending_ = true;
    return absl::OkStatus();
  }

  absl::StatusOr<bool> Next(Row& row) override {
    Line line = first_;  // still in the buffer: nothing has been read since Begin()
    if (!std::exchange(first_pending_, false)) {
      KS_ASSIGN_OR_RETURN(const bool more, NextLine(line));
      if (!more) return false;
    }
    row.line = line.number;
    row.error.clear();
    row.kept = line.text;
    const auto fields = SplitTabs(line.text);
    if (line.too_long) {
      row.error = Cat("longer than ", options_.max_row_bytes, " bytes");
    } else if (fields.size() != width_) {
      row.error = Cat("expected ", width_, " columns, found ", fields.size());
    } else {
      row.text = fields[chosen_.text];
      row.error = TextProblem(row.text);
      if (chosen_.label) row.label = fields[*chosen_.label];
      return true;
    }
    // What will be appended has to stand in its columns all the same.
    if (fields.size() < width_) row.kept.append(width_ - fields.size(), '\t');
    if (fields.size() > width_) row.kept.resize(static_cast<size_t>(fields[width_].data() - line.text.data()) - 1);
    return true;
  }
  const ByteSource& source() const override { return lines_.source(); }

 private:
  absl::StatusOr<bool> NextLine(Line& line) {
    KS_ASSIGN_OR_RETURN(const bool more, lines_.Next(line));
    if (more && line.text.ends_with('\r')) line.text.remove_suffix(1);
    return more;
  }

  LineReader lines_;
  const TableOptions options_;
  Line first_;
  bool first_pending_ = false;
  size_t width_ = 0;
  ChosenColumns chosen_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<TableReader>> OpenTsvTable(std::unique_ptr<ByteSource> source, const std::string& name,
                                                          const TableOptions& options) {
  auto table = std::make_unique<TsvTable>(std::move(source), options);
  KS_RETURN_IF_ERROR(table->Begin(name));
  return table;
}

}  // namespace ks
