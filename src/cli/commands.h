// The subcommands, one file each.
#pragma once

#include <filesystem>
#include <string>

#include "base/clock.h"
#include "cli/command.h"

namespace ks {

// `started` is when the program began: ml_cold_start_seconds counts from there.
Command ServeCommand(TimePoint started);
Command PredictCommand();
Command ConvertCommand();
Command ValidateCommand();
Command InspectCommand();
Command BenchCommand();
Command TokenizeCommand();
Command HealthCommand();
Command VersionCommand();

// Flags that mean the same wherever they stand.
Flag BackendFlag(std::string* backend);      // --backend, onnx or pytorch
Flag PrecisionFlag(std::string* precision);  // --precision, auto, int8 or fp32
Flag ThreadsFlag(int64_t* threads);          // --threads, 0 to 1024

// The package to use: `wanted`, or where that is empty share/kubesentiment/models/default beside the directory that
// this program lies in, in an installation as in a build tree.
std::filesystem::path ModelPath(const std::string& wanted);

}  // namespace ks
