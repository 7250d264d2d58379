// What protocols tell of the model being served: plain values, taken once at start.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/routing.h"
#include "engine/served_model.h"

namespace ks {

struct ModelDescription {
  std::string name;
  std::string precision;                        // of the default backend
  std::string precision_reason = "configured";  // LoadedGroup::precision_reason of the default backend
  std::vector<std::string> backends;   // the model's groups, in their order: the default first, the metrics' `backend`
  std::vector<std::string> answering;  // those of them that may answer: default, allowed, canary
  std::vector<std::string> allowed;    // whom a request may name: the default, then the others
  RoutingOptions routing;
  std::vector<std::string> labels;
  Activation activation = Activation::kSoftmax;
  float temperature = 1;                // divides the logits inside softmax and sigmoid, on every backend
  std::optional<Int8Description> int8;  // how the package's int8 weights were made, whatever runs; nothing without them
  std::optional<std::string> gate;      // Manifest::GateVerdict
  int window = 0;                       // tokens
  std::vector<PackageFile> files;
  std::string source_sha256;
  std::string validation_json;  // the package's validation.json; empty where it has none

  bool multi_label() const { return activation == Activation::kSigmoid && labels.size() > 1; }
};

// Reads validation.json beside the package where there is one; the rest is in memory. `routing` is the engine's.
ModelDescription DescribeModel(const ServedModel& model, const RoutingOptions& routing = {});

// The position of `name`; nothing where it is none of `names`.
std::optional<int> IndexOf(const std::vector<std::string>& names, std::string_view name);

}  // namespace ks
