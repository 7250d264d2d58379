// A whole validation: two loaded sides, texts and bounds in, a report out.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/served_model.h"
#include "measure/report.h"

namespace ks {

// One instruction set for the check of batches.
struct InvarianceSide {
  std::string isa;
  std::shared_ptr<const ServedModel> model;
};

struct ValidationInput {
  // The same package twice. The first group of each is what runs; each of its workers is one thread.
  Sides<std::shared_ptr<const ServedModel>> models;
  DataSet data;              // labels are indices into the package's
  size_t samples = 0;        // the limit that `data` was read with: for the report
  std::vector<int> classes;  // as ComparisonInput::classes
  Gates gates;
  bool layers = false;  // also compare the sides layer by layer
  // Also compare the bits of texts alone and in batches: all texts on the first of these, kOtherIsaTexts on the others.
  std::vector<InvarianceSide> invariance;
  // Also ask that the package's labels are these, in this order; `checkpoint_name` says whose they are.
  std::optional<std::vector<std::string>> checkpoint_labels;
  std::string checkpoint_name;
  // Told what is being done and how far it is; calls as TextProgress. May be empty.
  std::function<void(std::string_view stage, int64_t done, int64_t total)> progress;
};

inline constexpr int kLayerTexts = 200;
inline constexpr int kOtherIsaTexts = 200;

// Runs everything that `input` asks for and judges it. Blocks: both sides run over all texts, one after the other.
// Errors: of TokenizeExamples, RunTexts, CompareLayers and CheckBatchInvariance, with the side or the check in front;
// kInvalidArgument without texts. A bound that is not kept is no error but a gate of the report.
absl::StatusOr<ValidationReport> Validate(ValidationInput input);

}  // namespace ks
