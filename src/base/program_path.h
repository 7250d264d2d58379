// Where the running program is installed.
#pragma once

#include <filesystem>

#include "absl/status/statusor.h"

namespace ks {

// The running program's own file, links followed. Error: that of the system, as without /proc.
absl::StatusOr<std::filesystem::path> ProgramFile();

// The directory above the program's own, links followed: what lies in lib/ and share/ is found from there, so that the
// tree may be moved. Without /proc it is the parent of the current directory.
std::filesystem::path ProgramPrefix();

}  // namespace ks
