// Comma-separated values as RFC 4180 has them. Used by OpenTable alone.
#pragma once

#include <memory>
#include <string>

#include "cli/tables/table.h"

namespace ks {

absl::StatusOr<std::unique_ptr<TableReader>> OpenCsvTable(std::unique_ptr<ByteSource> source, const std::string& name,
                                                          const TableOptions& options);

// Appends `field` quoted where it has to be.
void AppendCsvField(std::string_view field, std::string& out);

}  // namespace ks
