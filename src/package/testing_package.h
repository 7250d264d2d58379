// A small package for the room's own tests: real files, hashes and manifest around contents of no meaning.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/replace_directory.h"

namespace ks {

// Writes a package whose files all hold `content` to `target`; portable.onnx and, beside int8, fp32's are optional.
absl::Status WriteTestPackage(const std::filesystem::path& target, const std::string& content,
                              StagingOptions options = {}, std::vector<std::string> precisions = {"fp32"});

}  // namespace ks
