// Writes a small file that is there whole or not at all.
#pragma once

#include <filesystem>
#include <string_view>

#include "absl/status/status.h"

namespace ks {

// Writes `bytes` to `path`, replacing what is there in one step: they go to `path`.staging, to the disk, and then get
// their name. One writer of a path at a time.
// Errors: as ErrnoStatus, naming `path`; what was there stays, and nothing else is left.
absl::Status ReplaceFile(const std::filesystem::path& path, std::string_view bytes);

}  // namespace ks
