// libcsv over lines: it is fed line by line, so that every record knows the line it begins in, and a record may hold
// line feeds inside quotes. Spaces belong to the fields, and a line without anything is no record. Tested by
// table_test.cc.
#include "cli/tables/csv_table.h"

#include <csv.h>

#include "base/status_macros.h"
#include "cli/tables/columns.h"
#include "cli/tables/line_reader.h"

namespace ks {
namespace {

constexpr size_t kFieldGrowthBytes = 64 << 10;

struct Record {
  int64_t line = 0;
  bool too_long = false;
  std::vector<std::string> fields = {};
};

// Cuts lines into records.
class CsvRecords {
 public:
  CsvRecords(std::unique_ptr<ByteSource> source, size_t max_record_bytes)
      : lines_(std::move(source), max_record_bytes), max_record_bytes_(max_record_bytes) {
    csv_init(&parser_, 0);
    csv_set_blk_size(&parser_, kFieldGrowthBytes);
    csv_set_space_func(&parser_, [](unsigned char) { return 0; });
  }
  ~CsvRecords() { csv_free(&parser_); }
  CsvRecords(const CsvRecords&) = delete;
  CsvRecords& operator=(const CsvRecords&) = delete;

  // The next record, valid until the call after; nullptr at the end.
  absl::StatusOr<const Record*> Next() {
    while (given_out_ == complete_) {
      if (ended_) return nullptr;
      records_.erase(records_.begin(), records_.begin() + static_cast<ptrdiff_t>(complete_));
      given_out_ = complete_ = 0;
      Line line;
      KS_ASSIGN_OR_RETURN(const bool more, lines_.Next(line));
      if (more) {
        KS_RETURN_IF_ERROR(Feed(line));
      } else {
        ended_ = true;
        csv_fini(&parser_, &CsvRecords::OnField, &CsvRecords::OnRecord, this);
      }
    }
    return &records_[given_out_++];
  }

  const ByteSource& source() const { return lines_.source(); }

 private:
  absl::Status Feed(const Line& line) {
    line_ = line.number;
    Record& record = Current();
    const bool begun = parser_.entry_pos > 0 || !record.fields.empty() || record.too_long;
    if (!begun) {
      record.line = line.number;
      record_bytes_ = 0;
    }
    record_bytes_ += line.text.size() + 1;
    if (line.too_long || record_bytes_ > max_record_bytes_) {
      // The parser keeps its place in the grammar; only what it has gathered is forgotten.
      record.too_long = true;
      record.fields.clear();
      parser_.entry_pos = 0;
    }
    // In place of a line that was skipped stands a letter, so that it is a record and not a blank line.
    const std::string_view text = line.too_long ? "x" : line.text;
    const std::string_view end = line.ended ? "\n" : "";
    for (const std::string_view piece : {text, end}) {
      const size_t taken =
          csv_parse(&parser_, piece.data(), piece.size(), &CsvRecords::OnField, &CsvRecords::OnRecord, this);
      if (taken != piece.size())
        return ResourceExhausted("line ", line.number, ": ", csv_strerror(csv_error(&parser_)));
    }
    return absl::OkStatus();
  }

  // The record in progress.
  Record& Current() {
    if (records_.size() == complete_) records_.push_back({.line = line_});
    return records_.back();
  }

  static void OnField(void* data, size_t size, void* self) {
    auto& records = *static_cast<CsvRecords*>(self);
    Record& record = records.Current();
    // One more than allowed is enough to tell that there are too many.
    if (!record.too_long && record.fields.size() <= kMaxColumns)
      record.fields.emplace_back(static_cast<const char*>(data), size);
  }
  static void OnRecord(int, void* self) {
    auto& records = *static_cast<CsvRecords*>(self);
    records.Current();
    ++records.complete_;
    records.record_bytes_ = 0;
  }

  LineReader lines_;
  const size_t max_record_bytes_;
  csv_parser parser_ = {};
  std::vector<Record> records_;  // `complete_` whole ones, then perhaps the one in progress
  size_t complete_ = 0;
  size_t given_out_ = 0;
  size_t record_bytes_ = 0;  // of the record in progress
  int64_t line_ = 0;
  bool ended_ = false;
};

class CsvTable final : public TableReader {
 public:
  CsvTable(std::unique_ptr<ByteSource> source, const TableOptions& options)
      : records_(std::move(source), options.max_row_bytes), options_(options) {}

  // Reads the header, or looks at the first row for the number of columns.
  absl::Status Begin(const std::string& name) {
    KS_ASSIGN_OR_RETURN(first_, records_.Next());
    if (first_ == nullptr) {
      if (options_.header) return InvalidArgument(name, ": expected a header, found an empty file");
      return absl::OkStatus();
    }
    width_ = first_->fields.size();
    if (options_.header) {
      columns_ = first_->fields;
      first_ = nullptr;
      KS_ASSIGN_OR_RETURN(chosen_, ChooseNamedColumns(columns_, options_, name));
    } else {
      KS_ASSIGN_OR_RETURN(chosen_, ChooseNumberedColumns(width_, options_, name));
    }
    has_labels_ = chosen_.label.has_value();
    return absl::OkStatus();
  }

  absl::StatusOr<bool> Next(Row& row) override {
    const Record* record = std::exchange(first_, nullptr);
    if (record == nullptr) {
      KS_ASSIGN_OR_RETURN(record, records_.Next());
    }
    if (record == nullptr) return false;
    row.line = record->line;
    row.kept.clear();
    row.error.clear();
    for (size_t i = 0; i < width_; ++i) {
      if (i > 0) row.kept.push_back(',');
      if (i < record->fields.size()) AppendCsvField(record->fields[i], row.kept);
    }
    if (record->too_long) {
      row.error = Cat("longer than ", options_.max_row_bytes, " bytes (is a quote left open?)");
    } else if (record->fields.size() != width_) {
      row.error = Cat("expected ", width_, " columns, found ", record->fields.size());
    } else {
      row.text = record->fields[chosen_.text];
      row.error = TextProblem(row.text);
      if (chosen_.label) row.label = record->fields[*chosen_.label];
    }
    return true;
  }
  const ByteSource& source() const override { return records_.source(); }

 private:
  CsvRecords records_;
  const TableOptions options_;
  const Record* first_ = nullptr;  // read by Begin() and not yet given out
  size_t width_ = 0;
  ChosenColumns chosen_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<TableReader>> OpenCsvTable(std::unique_ptr<ByteSource> source, const std::string& name,
                                                          const TableOptions& options) {
  auto table = std::make_unique<CsvTable>(std::move(source), options);
  KS_RETURN_IF_ERROR(table->Begin(name));
  return table;
}

void AppendCsvField(std::string_view field, std::string& out) {
  if (field.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += field;
    return;
  }
  out.push_back('"');
  for (const char c : field) {
    if (c == '"') out.push_back('"');
    out.push_back(c);
  }
  out.push_back('"');
}

}  // namespace ks
