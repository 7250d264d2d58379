// A line is a text. Tested by table_test.cc.
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "cli/tables/columns.h"
#include "cli/tables/line_reader.h"
#include "cli/tables/line_tables.h"

namespace ks {
namespace {

class TextTable final : public TableReader {
 public:
  TextTable(std::unique_ptr<ByteSource> source, const TableOptions& options)
      : lines_(std::move(source), options.max_row_bytes), options_(options) {}

  absl::StatusOr<bool> Next(Row& row) override {
    Line line;
    KS_ASSIGN_OR_RETURN(const bool more, lines_.Next(line));
    if (!more) return false;
    if (line.text.ends_with('\r')) line.text.remove_suffix(1);
    row = MakeTextRow(line.text, options_.lines_as_json);
    row.line = line.number;
    if (line.too_long) row.error = Cat("longer than ", options_.max_row_bytes, " bytes");
    return true;
  }
  const ByteSource& source() const override { return lines_.source(); }

 private:
  LineReader lines_;
  const TableOptions options_;
};

}  // namespace

Row MakeTextRow(std::string_view text, bool as_json) {
  Row row = {.text = std::string(text), .error = TextProblem(text)};
  if (!as_json) {
    row.kept = text;
    return row;
  }
  row.members = {"text"};
  row.kept = "{\"text\":";
  if (FindInvalidUtf8(text)) {
    row.kept += "null";
  } else {
    AppendJsonString(text, row.kept);
  }
  return row;
}

absl::StatusOr<std::unique_ptr<TableReader>> OpenTextTable(std::unique_ptr<ByteSource> source,
                                                           const TableOptions& options) {
  return std::make_unique<TextTable>(std::move(source), options);
}

}  // namespace ks
