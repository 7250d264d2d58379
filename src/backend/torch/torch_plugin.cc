// RTLD_LOCAL keeps LibTorch's symbols (its own protobuf, fmt, mimalloc..) from meeting those of the program. Tested by
// torch_plugin_test.cc without a plugin and torch_backend_test.cc with one.
#include "backend/torch/torch_plugin.h"

#include <dlfcn.h>

#include <system_error>

#include "base/program_path.h"
#include "base/status_macros.h"

namespace ks {
namespace {

constexpr char kPluginFile[] = "libkubesentiment_torch.so";

std::string LastLoaderError() {
  const char* const error = dlerror();
  return error != nullptr ? error : "no reason given";
}

// Writes the address of `name` to `function`.
template <typename Function>
absl::Status Resolve(void* library, const char* name, Function& function) {
  void* const symbol = dlsym(library, name);
  if (symbol == nullptr) return FailedPrecondition("expected the function ", name, ": ", LastLoaderError());
  function = reinterpret_cast<Function>(symbol);
  return absl::OkStatus();
}

absl::StatusOr<TorchPlugin> ResolveAll(void* library) {
  decltype(&ks_torch_abi) abi = nullptr;
  KS_RETURN_IF_ERROR(Resolve(library, "ks_torch_abi", abi));
  if (abi() != kTorchPluginAbi) {
    return FailedPrecondition("expected plugin version ", kTorchPluginAbi, ", found ", abi(),
                              ": it was built with another version of this program");
  }
  TorchPlugin plugin = {};
  KS_RETURN_IF_ERROR(Resolve(library, "ks_torch_version", plugin.version));
  KS_RETURN_IF_ERROR(Resolve(library, "ks_torch_create", plugin.create));
  KS_RETURN_IF_ERROR(Resolve(library, "ks_torch_run", plugin.run));
  KS_RETURN_IF_ERROR(Resolve(library, "ks_torch_destroy", plugin.destroy));
  KS_RETURN_IF_ERROR(Resolve(library, "ks_torch_last_error", plugin.last_error));
  return plugin;
}

}  // namespace

std::filesystem::path DefaultTorchPluginPath() { return ProgramPrefix() / "lib" / kPluginFile; }

absl::StatusOr<TorchPlugin> OpenTorchPlugin(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return FailedPrecondition(
        "backend pytorch: ", path.string(),
        " is not there: this program was built without LibTorch. `scripts/setup test` fetches it, "
        "KS_TORCH_ROOT names one of your own; then build again with -D KS_TORCH=ON");
  }
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) {
    return FailedPrecondition(
        "backend pytorch: ", path.string(), " cannot be opened: ", LastLoaderError(),
        "; LibTorch's libraries belong in torch/ beside it, or where they were when it was built");
  }
  absl::StatusOr<TorchPlugin> plugin = ResolveAll(library);
  if (!plugin.ok()) return WithContext(plugin.status(), Cat("backend pytorch: ", path.string()));
  return plugin;
}

}  // namespace ks
