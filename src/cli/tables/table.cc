// Chooses the reader of a format. Tested by table_test.cc.
#include "cli/tables/table.h"

#include "cli/tables/csv_table.h"
#include "cli/tables/line_tables.h"

namespace ks {

TableFormat FormatOfPath(std::string_view path) {
  const std::string_view name = WithoutCompression(path);
  if (name.ends_with(".csv")) return TableFormat::kCsv;
  if (name.ends_with(".tsv")) return TableFormat::kTsv;
  if (name.ends_with(".jsonl")) return TableFormat::kJsonl;
  return TableFormat::kText;
}

absl::StatusOr<std::unique_ptr<TableReader>> OpenTable(std::unique_ptr<ByteSource> source, std::string name,
                                                       const TableOptions& options) {
  switch (options.format) {
    case TableFormat::kCsv:
      return OpenCsvTable(std::move(source), name, options);
    case TableFormat::kTsv:
      return OpenTsvTable(std::move(source), name, options);
    case TableFormat::kJsonl:
      return OpenJsonlTable(std::move(source), std::move(name), options);
    case TableFormat::kText:
      break;
  }
  return OpenTextTable(std::move(source), options);
}

}  // namespace ks
