// Opens libkubesentiment_torch.so. Private to backend/torch.
#pragma once

#include <filesystem>

#include "absl/status/statusor.h"
#include "backend/torch/plugin.h"

namespace ks {

// The functions of plugin.h, for the rest of the process's life.
struct TorchPlugin {
  decltype(&ks_torch_version) version;
  decltype(&ks_torch_create) create;
  decltype(&ks_torch_run) run;
  decltype(&ks_torch_destroy) destroy;
  decltype(&ks_torch_last_error) last_error;
};

// Where the plugin belongs: ../lib beside the program, in a build tree as in an installation.
std::filesystem::path DefaultTorchPluginPath();

// Maps the plugin and with it LibTorch; the first time takes a fifth of a second. It is never unmapped, and opening it
// again gives the same. Error: kFailedPrecondition naming `path`: it is not there (the message says what to install),
// LibTorch is not where it was when the plugin was built, or it belongs to another version of this program.
absl::StatusOr<TorchPlugin> OpenTorchPlugin(const std::filesystem::path& path);

}  // namespace ks
