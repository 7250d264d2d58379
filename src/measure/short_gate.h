// What `convert` asks of a package before it puts it in place.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/load.h"
#include "measure/report.h"

namespace ks {

// What the gate measured, inside the package. No part of what the manifest lists.
inline constexpr char kValidationFile[] = "validation.json";

struct ShortGateOptions {
  BackendOpener open;              // opens either precision
  std::vector<std::string> texts;  // to compare on, such as those of a calibration; empty: the manifest's self-checks
  int threads = 0;                 // as LoadOptions
  // Calls as TextProgress. May be empty.
  std::function<void(std::string_view stage, int64_t done, int64_t total)> progress;
};

// Compares int8 with fp32 under int8's default bounds and writes kValidationFile into `package`, a directory that holds
// both and that nobody serves yet. The file holds numbers, no texts: a package goes to others. Takes about a second on
// the self-checks. The report says whether the package passed.
// Errors: as LoadModel (a package without one of the two precisions), Validate; those of the system for the file.
absl::StatusOr<ValidationReport> RunShortGate(const std::filesystem::path& package, const ShortGateOptions& options);

}  // namespace ks
