// Tables of texts: rows are read one by one, kept as they came, and written with what was predicted beside them.
//
//   format  kept as it came                  appended                                      text
//   csv     all fields, quoted as needed     label,score,score_<LABEL>...,error            a column
//   tsv     the line                         the same                                      a column
//   jsonl   the object's members             "label", "score", "scores", "error"           a member
//   text    the line                         label<TAB>score<TAB> in front of it           the line
//
// A row that cannot be scored keeps its place: its Row has an error. Memory is bounded by the longest row allowed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/tables/byte_source.h"

namespace ks {

enum class TableFormat { kText, kJsonl, kCsv, kTsv };

// By extension, a further .gz or .xz aside: .csv, .tsv, .jsonl; anything else is text.
TableFormat FormatOfPath(std::string_view path);

struct TableOptions {
  TableFormat format = TableFormat::kText;
  std::optional<std::string> text_column = {};  // a name, or a number from 1
  bool header = true;                           // of csv and tsv: the first row names the columns
  bool lines_as_json = false;                   // of text: keep each line as {"text": ...}, for a jsonl writer
  size_t max_row_bytes = 16 << 20;              // a longer row is a bad one and is not kept
  bool labels = false;                          // read what a row is labelled with, too
  // With `labels`: a name, or a number from 1. Without it the column called `label` counts, if there is one.
  std::optional<std::string> label_column = {};
};

struct Row {
  int64_t line = 0;        // where it begins, from 1
  std::string kept = {};   // in the format of the output, without what will be appended and without a line end
  std::string text = {};   // to score: valid UTF-8, not blank; of a bad row unspecified
  std::string error = {};  // why it cannot be scored; empty if it can. Never holds a text
  std::vector<std::string> members = {};  // of jsonl: the object's keys
  std::string label = {};                 // as it stands there, where the reader has_labels()
};

// One thread at a time.
class TableReader {
 public:
  virtual ~TableReader() = default;

  // False at the end. The strings of `row` are reused.
  // Errors: those of ByteSource::Read (kCancelled leaves the reader as it was); kInvalidArgument where jsonl shows its
  // members only now and none is the text (see OpenTable).
  virtual absl::StatusOr<bool> Next(Row& row) = 0;

  // The header's names; empty for text, for jsonl and without a header.
  const std::vector<std::string>& columns() const { return columns_; }
  // Whether rows come with labels: TableOptions asked for them and there is a column. Of jsonl the first object that
  // has members decides, so ask after the last row.
  bool has_labels() const { return has_labels_; }
  virtual const ByteSource& source() const = 0;

 protected:
  std::vector<std::string> columns_;
  bool has_labels_ = false;
};

// Begins to read a table; `name` begins the messages. Of csv and tsv the header is read here and the column of the text
// found: `text_column` if given, else the one called `text`, else the only one; the label's likewise (TableOptions).
// Errors: kInvalidArgument listing the columns where that finds none or more than one; those of ByteSource::Read.
absl::StatusOr<std::unique_ptr<TableReader>> OpenTable(std::unique_ptr<ByteSource> source, std::string name,
                                                       const TableOptions& options);

// A text as a row of plain text: `line` is the caller's to set. `as_json` as TableOptions::lines_as_json.
Row MakeTextRow(std::string_view text, bool as_json);

// What was predicted for a row: one score a label, in the labels' order.
struct RowScores {
  int label = 0;
  std::vector<float> scores;
};

// Appends rows and what was predicted to a text. Floats are the shortest that read back to the same bits.
class TableWriter {
 public:
  virtual ~TableWriter() = default;
  // The header line, or nothing where the format or the input has none.
  virtual std::string Header() const = 0;
  // `scores` is null for a row that was not scored: row.error says why.
  virtual void Append(const Row& row, const RowScores* scores, std::string& out) const = 0;
};

// `columns` as the reader gives them: an appended column whose name is taken becomes pred_<name>. `header` as in
// TableOptions; `format` is the output's (kJsonl with lines_as_json).
std::unique_ptr<TableWriter> MakeTableWriter(TableFormat format, bool header, const std::vector<std::string>& columns,
                                             const std::vector<std::string>& labels);

}  // namespace ks
