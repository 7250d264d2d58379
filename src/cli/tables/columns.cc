// Tested by table_test.cc.
#include "cli/tables/columns.h"

#include <algorithm>
#include <charconv>

#include "base/status_macros.h"
#include "base/utf8.h"

namespace ks {
namespace {

// A number from 1 to `count`, as an index.
std::optional<size_t> ColumnNumber(std::string_view text, size_t count) {
  size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1 || number > count) return std::nullopt;
  return number - 1;
}

absl::Status CheckCount(size_t count, std::string_view name) {
  if (count <= kMaxColumns) return absl::OkStatus();
  return InvalidArgument(name, ": more than ", kMaxColumns, " columns");
}

std::string List(const std::vector<std::string>& columns) {
  std::string list;
  for (const std::string& column : columns) list += Cat(list.empty() ? "" : ", ", column);
  return list;
}

// The column called `wanted` or, where that is not given, `usual`; nothing where none is called `usual`.
absl::StatusOr<std::optional<size_t>> FindColumn(const std::vector<std::string>& columns,
                                                 const std::optional<std::string>& wanted, std::string_view usual,
                                                 std::string_view name) {
  KS_RETURN_IF_ERROR(CheckCount(columns.size(), name));
  const std::string_view target = wanted ? std::string_view(*wanted) : usual;
  const auto matches = std::count(columns.begin(), columns.end(), target);
  if (matches == 1) return static_cast<size_t>(std::find(columns.begin(), columns.end(), target) - columns.begin());
  if (matches > 1) {
    return InvalidArgument(name, ": ", matches, " columns are called \"", target,
                           "\"; the columns are: ", List(columns));
  }
  if (!wanted) return std::nullopt;
  if (const auto index = ColumnNumber(*wanted, columns.size())) return *index;
  return InvalidArgument(name, ": there is no column \"", *wanted, "\"; the columns are: ", List(columns));
}

// The column whose number is `wanted`; `flag` is what named it.
absl::StatusOr<size_t> FindNumberedColumn(size_t count, const std::string& wanted, std::string_view flag,
                                          std::string_view name) {
  if (const auto index = ColumnNumber(wanted, count)) return *index;
  return InvalidArgument(name, ": without a header, ", flag, " is a number from 1 to ", count, ", found \"", wanted,
                         "\"");
}

}  // namespace

absl::StatusOr<size_t> FindTextColumn(const std::vector<std::string>& columns, const std::optional<std::string>& wanted,
                                      std::string_view name) {
  KS_ASSIGN_OR_RETURN(const std::optional<size_t> found, FindColumn(columns, wanted, "text", name));
  if (found) return *found;
  if (columns.size() == 1) return 0;
  return InvalidArgument(
      name, ": which column is the text? None is called \"text\" (--text-column names one); the columns are: ",
      List(columns));
}

absl::StatusOr<ChosenColumns> ChooseNamedColumns(const std::vector<std::string>& columns, const TableOptions& options,
                                                 std::string_view name) {
  ChosenColumns chosen;
  KS_ASSIGN_OR_RETURN(chosen.text, FindTextColumn(columns, options.text_column, name));
  if (options.labels) {
    KS_ASSIGN_OR_RETURN(chosen.label, FindColumn(columns, options.label_column, "label", name));
    // An only column is the text, whatever its name.
    if (!options.label_column && chosen.label == chosen.text) chosen.label.reset();
  }
  return chosen;
}

absl::StatusOr<ChosenColumns> ChooseNumberedColumns(size_t count, const TableOptions& options, std::string_view name) {
  KS_RETURN_IF_ERROR(CheckCount(count, name));
  ChosenColumns chosen;
  if (options.text_column) {
    KS_ASSIGN_OR_RETURN(chosen.text, FindNumberedColumn(count, *options.text_column, "--text-column", name));
  } else if (count != 1) {
    return InvalidArgument(name, ": which of the ", count,
                           " columns is the text? Without a header, --text-column is a number from 1 to ", count);
  }
  if (options.labels && options.label_column) {
    KS_ASSIGN_OR_RETURN(chosen.label, FindNumberedColumn(count, *options.label_column, "--label-column", name));
  }
  return chosen;
}

std::string FreeName(std::string name, const std::vector<std::string>& taken) {
  while (std::find(taken.begin(), taken.end(), name) != taken.end()) name.insert(0, "pred_");
  return name;
}

std::string TextProblem(std::string_view text) {
  if (const auto position = FindInvalidUtf8(text)) return Cat("not valid UTF-8 at byte ", *position);
  if (IsBlank(text)) return text.empty() ? "the text is empty" : "the text is blank";
  return "";
}

}  // namespace ks
