// Which column holds the text, and names that do not clash. Shared by the formats.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/tables/table.h"

namespace ks {

// A table with more columns is refused: a row of separators alone must not fill the memory.
inline constexpr size_t kMaxColumns = 10000;

// The index of the text's column among named ones: `wanted` (a name; where there is none of that name, a number from
// 1), else `text`, else the only one. kInvalidArgument listing the columns where that is not exactly one.
absl::StatusOr<size_t> FindTextColumn(const std::vector<std::string>& columns, const std::optional<std::string>& wanted,
                                      std::string_view name);

// The columns of a table that count.
struct ChosenColumns {
  size_t text = 0;
  std::optional<size_t> label = {};  // where TableOptions ask for labels and there is one
};

// Chooses among named columns, as FindTextColumn does; the label's is the one wanted, else the one called `label`.
// kInvalidArgument listing the columns where the text's is not exactly one, or the label's that is wanted, or two are
// called `label`.
absl::StatusOr<ChosenColumns> ChooseNamedColumns(const std::vector<std::string>& columns, const TableOptions& options,
                                                 std::string_view name);

// The same of `count` columns that have numbers only: there is no label unless one is wanted.
absl::StatusOr<ChosenColumns> ChooseNumberedColumns(size_t count, const TableOptions& options, std::string_view name);

// `name`, or with as many `pred_` in front as make it differ from all of `taken`.
std::string FreeName(std::string name, const std::vector<std::string>& taken);

// Why a text cannot be scored: not valid UTF-8, or blank. Empty if it can.
std::string TextProblem(std::string_view text);

}  // namespace ks
