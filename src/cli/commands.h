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
Command VersionCommand();

// The package to use: `wanted`, or where that is empty share/kubesentiment/models/default beside the directory that
// this program lies in, in an installation as in a build tree.
std::filesystem::path ModelPath(const std::string& wanted);

}  // namespace ks
