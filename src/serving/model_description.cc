#include "serving/model_description.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include "base/json.h"
#include "engine/served_model.h"

namespace ks {
namespace {

// One JSON value of a small file; empty where the file is absent or something else. It informs, so nothing depends on
// it.
std::string ReadJsonFile(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream content;
  content << file.rdbuf();
  std::string text = std::move(content).str();
  return JsonDocument::Parse(text, path.filename().string(), {.max_bytes = 1 << 20}).ok() ? text : std::string();
}

}  // namespace

ModelDescription DescribeModel(const ServedModel& model, const RoutingOptions& routing) {
  const Manifest& manifest = model.manifest();
  ModelDescription description;
  description.name = manifest.name;
  description.labels = manifest.spec.labels;
  description.activation = manifest.spec.activation;
  description.temperature = manifest.temperature;
  if (manifest.HasPrecision("int8")) description.int8 = manifest.int8;
  description.gate = manifest.GateVerdict();
  description.window = manifest.window;
  description.files = manifest.files;
  description.source_sha256 = manifest.source_sha256;
  for (const BackendGroup& group : model.groups()) {
    const std::string& name = group.name;
    const bool allowed =
        description.backends.empty() || std::ranges::find(routing.allowed, name) != routing.allowed.end();
    description.backends.push_back(name);
    if (allowed) description.allowed.push_back(name);
    if (allowed || name == routing.canary) description.answering.push_back(name);
  }
  description.routing = routing;
  if (!model.groups().empty() && !model.groups().front().workers.empty()) {
    description.precision = model.groups().front().workers.front()->facts().precision;
  }
  if (model.package() != nullptr) {
    description.validation_json = ReadJsonFile(model.package()->directory() / "validation.json");
  }
  return description;
}

std::optional<int> IndexOf(const std::vector<std::string>& names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<int>(found - names.begin());
}

}  // namespace ks
