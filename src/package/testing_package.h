// A small package for the room's own tests: real files, hashes and manifest around contents of no meaning.
#pragma once

#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "base/replace_directory.h"

namespace ks {

// Writes a package whose files all hold `content` (portable.onnx optional) to `target`.
absl::Status WriteTestPackage(const std::filesystem::path& target, const std::string& content,
                              StagingOptions options = {});

}  // namespace ks
