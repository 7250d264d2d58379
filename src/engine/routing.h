// The feature flag: which of a model's backends answers a request, whom a request may name, and who is compared on the
// side.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/share_sampler.h"

namespace ks {

struct BackendGroup;

// By names of the model's groups. The first group is the default: it answers unless something here says otherwise.
struct RoutingOptions {
  std::vector<std::string> allowed = {};  // whom a request may name; the default always
  std::string canary = {};                // answers `canary_share` of the requests that name nobody; empty: none
  double canary_share = 0;                // in [0, 1]
  std::string shadow = {};                // runs `shadow_share` of what the default answered once more; empty: none
  double shadow_share = 0;                // in [0, 1]
};

// Whether `options` can be followed with these groups: kInvalidArgument naming the setting where a name is none of the
// groups, the canary or the shadow is the default, a share lies outside [0, 1], or a group lacks what its part needs
// (workers to answer, a backend of its own to shadow).
absl::Status CheckRouting(const std::vector<BackendGroup>& groups, const RoutingOptions& options);

// Decides for one request after the other. Safe from any thread.
class Router {
 public:
  // Requires what CheckRouting checks.
  Router(const std::vector<BackendGroup>& groups, const RoutingOptions& options);

  // The index of the group that answers a request that names `backend`, or nobody (empty). Errors: kUnsupportedBackend,
  // by CodeOf, listing whom a request may name.
  absl::StatusOr<size_t> Choose(std::string_view backend);

  // Whether a request that the group `answered_by` has answered goes through the shadow as well.
  bool ChooseForShadow(size_t answered_by);

  // The index of the group that shadows.
  std::optional<size_t> shadow() const { return shadow_; }

 private:
  std::vector<std::pair<std::string, size_t>> allowed_;  // the default first
  std::optional<size_t> canary_;
  std::optional<size_t> shadow_;
  ShareSampler canary_sampler_;
  ShareSampler shadow_sampler_;
};

}  // namespace ks
