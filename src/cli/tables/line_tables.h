// The formats whose rows are lines: text, tsv, jsonl. Used by OpenTable alone.
#pragma once

#include <memory>
#include <string>

#include "cli/tables/table.h"

namespace ks {

absl::StatusOr<std::unique_ptr<TableReader>> OpenTextTable(std::unique_ptr<ByteSource> source,
                                                           const TableOptions& options);
absl::StatusOr<std::unique_ptr<TableReader>> OpenTsvTable(std::unique_ptr<ByteSource> source, const std::string& name,
                                                          const TableOptions& options);
absl::StatusOr<std::unique_ptr<TableReader>> OpenJsonlTable(std::unique_ptr<ByteSource> source, std::string name,
                                                            const TableOptions& options);

}  // namespace ks
