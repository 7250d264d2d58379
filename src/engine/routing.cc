// Tested by routing_test.cc, and through the engine by shadow_engine_test.cc.
#include "engine/routing.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "engine/error.h"
#include "engine/served_model.h"

namespace ks {
namespace {

std::optional<size_t> FindGroup(const std::vector<BackendGroup>& groups, std::string_view name) {
  for (size_t g = 0; g < groups.size(); ++g) {
    if (groups[g].name == name) return g;
  }
  return std::nullopt;
}

absl::StatusOr<size_t> RequireGroup(const std::vector<BackendGroup>& groups, std::string_view setting,
                                    std::string_view name) {
  if (const std::optional<size_t> group = FindGroup(groups, name)) return *group;
  return InvalidArgument(setting, ": the model was not loaded for the backend ", name);
}

absl::Status CheckAnswers(const BackendGroup& group, std::string_view setting) {
  if (!group.workers.empty()) return absl::OkStatus();
  return InvalidArgument(setting, ": the backend ", group.name, " has no worker");
}

absl::Status CheckShare(std::string_view setting, double share) {
  if (share >= 0 && share <= 1) return absl::OkStatus();
  return InvalidArgument(setting, ": expected 0 to 1, found ", share);
}

// A name that is not ours comes from the client: it is repeated only if it looks like a name.
std::string Quoted(std::string_view name) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  if (name.size() <= 32 && std::ranges::all_of(name, is_plain)) return Cat("\"", name, "\"");
  return Cat("a name of ", name.size(), " bytes");
}

}  // namespace

absl::Status CheckRouting(const std::vector<BackendGroup>& groups, const RoutingOptions& options) {
  KS_RETURN_IF_ERROR(CheckAnswers(groups.front(), "backend"));
  for (const std::string& name : options.allowed) {
    KS_ASSIGN_OR_RETURN(const size_t group, RequireGroup(groups, "allowed-backends", name));
    KS_RETURN_IF_ERROR(CheckAnswers(groups[group], "allowed-backends"));
  }
  KS_RETURN_IF_ERROR(CheckShare("canary-share", options.canary_share));
  KS_RETURN_IF_ERROR(CheckShare("shadow-share", options.shadow_share));
  if (!options.canary.empty()) {
    KS_ASSIGN_OR_RETURN(const size_t group, RequireGroup(groups, "canary-backend", options.canary));
    if (group == 0) return InvalidArgument("canary-backend: ", options.canary, " is the default backend already");
    KS_RETURN_IF_ERROR(CheckAnswers(groups[group], "canary-backend"));
  }
  if (!options.shadow.empty()) {
    KS_ASSIGN_OR_RETURN(const size_t group, RequireGroup(groups, "shadow-backend", options.shadow));
    if (group == 0) return InvalidArgument("shadow-backend: ", options.shadow, " is the default backend already");
    if (groups[group].shadow == nullptr) {
      return InvalidArgument("shadow-backend: the backend ", options.shadow, " was not loaded to shadow");
    }
  }
  return absl::OkStatus();
}

Router::Router(const std::vector<BackendGroup>& groups, const RoutingOptions& options)
    : canary_(options.canary.empty() ? std::nullopt : FindGroup(groups, options.canary)),
      shadow_(options.shadow.empty() ? std::nullopt : FindGroup(groups, options.shadow)),
      canary_sampler_(options.canary_share),
      shadow_sampler_(options.shadow_share) {
  allowed_.emplace_back(groups.front().name, 0);
  for (const std::string& name : options.allowed) {
    if (name != groups.front().name) allowed_.emplace_back(name, *FindGroup(groups, name));
  }
}

absl::StatusOr<size_t> Router::Choose(std::string_view backend) {
  if (backend.empty()) return canary_.has_value() && canary_sampler_.Next() ? *canary_ : 0;
  std::string names;
  for (const auto& [name, group] : allowed_) {
    if (name == backend) return group;
    names += (names.empty() ? "" : ", ") + name;
  }
  return MakeError(ErrorCode::kUnsupportedBackend,
                   Cat("backend: expected one of ", names, "; found ", Quoted(backend)));
}

bool Router::ChooseForShadow(size_t answered_by) {
  return answered_by == 0 && shadow_.has_value() && shadow_sampler_.Next();
}

}  // namespace ks
