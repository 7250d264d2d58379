// Tested by config_test.cc.
#include "cli/config_backends.h"

#include <algorithm>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "kernels/dispatch.h"

namespace ks {
namespace {

constexpr std::string_view kNone = "none";

// A backend beside the default, with its share of the requests.
absl::Status CheckSecond(std::string_view role, const std::string& name, double share, const ServeConfig& config) {
  if (name == kNone) {
    if (share == 0) return absl::OkStatus();
    return InvalidArgument(role, "-share is ", share, " but ", role, "-backend is none: there is nobody to take it");
  }
  if (name == config.backend) {
    return InvalidArgument(role, "-backend is ", name, ", as backend is: expected another one");
  }
  return absl::OkStatus();
}

absl::Status CheckIsa(const std::string& name) {
  const std::optional<IsaLevel> isa = IsaFromName(name);
  if (!isa.has_value() || IsSupported(*isa)) return absl::OkStatus();
  const auto append_name = [](std::string* out, IsaLevel level) { out->append(IsaName(level)); };
  return InvalidArgument("isa is ", name, ", which this CPU lacks; it has ",
                         absl::StrJoin(SupportedIsas(), ", ", append_name));
}

std::string NameOf(const std::string& backend) { return backend == kNone ? "" : backend; }

std::vector<std::string> Allowed(const ServeConfig& config) {
  if (config.allowed_backends.empty()) return {};
  return absl::StrSplit(config.allowed_backends, ',');
}

}  // namespace

absl::Status CheckBackends(const ServeConfig& config) {
  KS_RETURN_IF_ERROR(CheckSecond("canary", config.canary_backend, config.canary_share, config));
  KS_RETURN_IF_ERROR(CheckSecond("shadow", config.shadow_backend, config.shadow_share, config));
  if (config.precision == "int8" && !UsesOnnx(config)) {
    return InvalidArgument("precision is int8 but backend is ", config.backend, ", which has fp32 alone");
  }
  return CheckIsa(config.isa);
}

bool UsesOnnx(const ServeConfig& config) {
  const LoadOptions load = LoadOptionsOf(config);
  return load.backend == "onnx" || load.shadow_backend == "onnx" ||
         std::ranges::find(load.more_backends, "onnx") != load.more_backends.end();
}

LoadOptions LoadOptionsOf(const ServeConfig& config) {
  LoadOptions options = {.backend = config.backend,
                         .more_backends = Allowed(config),
                         .shadow_backend = NameOf(config.shadow_backend),
                         .precision = config.precision,
                         .fall_back = true,
                         .isa = config.isa,
                         .threads = static_cast<int>(config.threads)};
  if (config.canary_backend != kNone) options.more_backends.push_back(config.canary_backend);
  return options;
}

RoutingOptions RoutingOf(const ServeConfig& config) {
  return {.allowed = Allowed(config),
          .canary = NameOf(config.canary_backend),
          .canary_share = config.canary_share,
          .shadow = NameOf(config.shadow_backend),
          .shadow_share = config.shadow_share};
}

}  // namespace ks
