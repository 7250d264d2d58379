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

}  // namespace

absl::StatusOr<size_t> FindTextColumn(const std::vector<std::string>& columns, const std::optional<std::string>& wanted,
                                      std::string_view name) {
  KS_RETURN_IF_ERROR(CheckCount(columns.size(), name));
  const std::string_view target = wanted ? std::string_view(*wanted) : "text";
  const auto matches = std::count(columns.begin(), columns.end(), target);
  if (matches == 1) return static_cast<size_t>(std::find(columns.begin(), columns.end(), target) - columns.begin());
  if (matches > 1) {
    return InvalidArgument(name, ": ", matches, " columns are called \"", target,
                           "\"; the columns are: ", List(columns));
  }
  if (wanted) {
    if (const auto index = ColumnNumber(*wanted, columns.size())) return *index;
    return InvalidArgument(name, ": there is no column \"", *wanted, "\"; the columns are: ", List(columns));
  }
  if (columns.size() == 1) return 0;
  return InvalidArgument(
      name, ": which column is the text? None is called \"text\" (--text-column names one); the columns are: ",
      List(columns));
}

absl::StatusOr<size_t> FindNumberedTextColumn(size_t count, const std::optional<std::string>& wanted,
                                              std::string_view name) {
  KS_RETURN_IF_ERROR(CheckCount(count, name));
  if (wanted) {
    if (const auto index = ColumnNumber(*wanted, count)) return *index;
    return InvalidArgument(name, ": without a header, --text-column is a number from 1 to ", count, ", found \"",
                           *wanted, "\"");
  }
  if (count == 1) return 0;
  return InvalidArgument(name, ": which of the ", count,
                         " columns is the text? Without a header, --text-column is a number from 1 to ", count);
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
