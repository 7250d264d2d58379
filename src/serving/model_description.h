// What protocols tell of the model being served: plain values, taken once at start.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/served_model.h"

namespace ks {

struct ModelDescription {
  std::string name;
  std::string precision;              // of the default backend
  std::vector<std::string> backends;  // that may answer, the default first
  std::vector<std::string> labels;
  Activation activation = Activation::kSoftmax;
  int window = 0;  // tokens
  std::vector<PackageFile> files;
  std::string source_sha256;
  std::string validation_json;  // the package's validation.json; empty where it has none

  bool multi_label() const { return activation == Activation::kSigmoid && labels.size() > 1; }
};

// Reads validation.json beside the package where there is one; the rest is in memory.
ModelDescription DescribeModel(const ServedModel& model);

// The position of `name`; nothing where it is none of `names`.
std::optional<int> IndexOf(const std::vector<std::string>& names, std::string_view name);

}  // namespace ks
