// The settings of `serve` that say which backend answers what.
#pragma once

#include "absl/status/status.h"
#include "cli/config.h"
#include "engine/load.h"
#include "engine/routing.h"

namespace ks {

// Whether the settings agree with each other and with this CPU. kInvalidArgument naming the settings: a canary or a
// shadow that is the default backend, a share of nobody, a precision that none of the backends has, an instruction set
// that the CPU lacks (with those it has).
absl::Status CheckBackends(const ServeConfig& config);

// Whether any backend that answers or shadows is ONNX Runtime.
bool UsesOnnx(const ServeConfig& config);

// What to load, and who answers what. Both require what CheckBackends checks.
LoadOptions LoadOptionsOf(const ServeConfig& config);
RoutingOptions RoutingOf(const ServeConfig& config);

}  // namespace ks
