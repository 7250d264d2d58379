// Tested by labelled_data_test.cc.
#include "cli/labelled_data.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "cli/tables/table.h"

namespace ks {
namespace {

constexpr size_t kLongestShownLabel = 64;

// A label as a message shows it. What is long or no text is none, but whatever a wrong column holds.
std::string Shown(std::string_view label) {
  if (label.size() > kLongestShownLabel || FindInvalidUtf8(label)) return Cat("a value of ", label.size(), " bytes");
  return Cat("\"", label, "\"");
}

class DataReader {
 public:
  explicit DataReader(const LabelledDataOptions& options) : options_(options), sampler_(options.samples) {}

  absl::StatusOr<DataSet> Read() {
    for (const std::string& file : options_.files) KS_RETURN_IF_ERROR(ReadFile(file));
    const bool labelled = std::ranges::any_of(data_.files, &DataFile::labelled);
    if (labelled && seen_labels_.size() == 1) {
      return DataLoss(absl::StrJoin(options_.files, ", "), ": every row has the label ",
                      Shown(options_.labels[*seen_labels_.begin()]), "; accuracy needs at least two labels");
    }
    data_.examples = std::move(sampler_).Take();
    return std::move(data_);
  }

 private:
  absl::Status ReadFile(const std::string& name) {
    const TableFormat format = FormatOfPath(name);
    if (format == TableFormat::kText && (options_.label_column || options_.text_column)) {
      return InvalidArgument(name,
                             ": plain text has no columns; --label-column and --text-column are for csv, tsv "
                             "and jsonl, by the file's extension");
    }
    std::error_code ignored;  // a pipe has no size
    if (std::filesystem::file_size(name, ignored) == 0) return DataLoss(name, ": the file is empty");
    KS_ASSIGN_OR_RETURN(auto source, OpenByteSource(name));
    const bool has_header = options_.header || format == TableFormat::kJsonl;
    KS_ASSIGN_OR_RETURN(const auto table, OpenTable(std::move(source), name,
                                                    {.format = format,
                                                     .text_column = options_.text_column,
                                                     .header = has_header,
                                                     .labels = true,
                                                     .label_column = options_.label_column}));
    data_.files.push_back({.name = name, .rows = 0, .labelled = false});
    return ReadRows(*table);
  }

  absl::Status ReadRows(TableReader& table) {
    DataFile& file = data_.files.back();
    Row row;
    while (true) {
      KS_ASSIGN_OR_RETURN(const bool more, table.Next(row));
      if (!more) break;
      absl::StatusOr<Example> example = MakeExample(row, table.has_labels());
      if (!example.ok()) return WithContext(example.status(), Cat(file.name, ": line ", row.line));
      sampler_.Add(*std::move(example));
      ++file.rows;
      ++rows_;
      if (options_.progress) options_.progress(table.source().bytes_read(), table.source().total_bytes(), rows_);
    }
    file.labelled = table.has_labels();
    if (file.rows == 0) return DataLoss(file.name, ": there are no rows in it");
    return absl::OkStatus();
  }

  absl::StatusOr<Example> MakeExample(const Row& row, bool labelled) {
    if (!row.error.empty()) return DataLoss(row.error);
    Example example = {.text = row.text, .file = static_cast<int>(data_.files.size()) - 1, .line = row.line};
    if (!labelled) return example;
    KS_ASSIGN_OR_RETURN(example.label, LabelOf(row.label));
    seen_labels_.insert(example.label);
    return example;
  }

  absl::StatusOr<int> LabelOf(const std::string& label) const {
    const std::optional<int> index = options_.label_ids ? LabelId(label) : FindLabel(options_.labels, label);
    if (!index) {
      if (options_.label_ids) {
        return DataLoss("expected a label from 0 to ", options_.labels.size() - 1, ", found ", Shown(label));
      }
      const bool number = !label.empty() && std::ranges::all_of(label, [](char c) { return c >= '0' && c <= '9'; });
      return DataLoss("expected one of the labels ", absl::StrJoin(options_.labels, ", "), ", found ", Shown(label),
                      number ? " (--label-ids takes labels by number)" : "");
    }
    if (!options_.classes.empty() && std::ranges::count(options_.classes, *index) == 0) {
      return DataLoss("the label ", Shown(options_.labels[*index]), " is none of --classes");
    }
    return *index;
  }

  std::optional<int> LabelId(std::string_view text) const {
    int id = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    if (!whole || id < 0 || id >= static_cast<int>(options_.labels.size())) return std::nullopt;
    return id;
  }

  const LabelledDataOptions& options_;
  Sampler sampler_;
  DataSet data_;
  int64_t rows_ = 0;
  std::set<int> seen_labels_;  // of all rows, those that are not kept included
};

}  // namespace

std::optional<int> FindLabel(const std::vector<std::string>& labels, std::string_view name) {
  if (const auto exact = std::ranges::find(labels, name); exact != labels.end()) {
    return static_cast<int>(exact - labels.begin());
  }
  std::optional<int> found;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (!absl::EqualsIgnoreCase(labels[i], ToAbsl(name))) continue;
    if (found) return std::nullopt;  // two differ from it in case alone
    found = static_cast<int>(i);
  }
  return found;
}

absl::StatusOr<DataSet> ReadLabelledData(const LabelledDataOptions& options) { return DataReader(options).Read(); }

}  // namespace ks
