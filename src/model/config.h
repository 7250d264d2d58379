// Hugging Face's config.json -> ClassifierSpec.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/classifier_spec.h"

namespace ks {

// Reads the text of a config.json. `name` (its path) begins every message.
//
// As in Hugging Face: no id2label means LABEL_0, LABEL_1, ... of num_labels, or of two where that is missing too; a
// regression gives raw values, multi-label models and those with one label sigmoids, all others a softmax.
//
// Errors, each naming the key, what was expected and what was found:
//   kInvalidArgument     not JSON; a key missing or of the wrong type; a size out of range; heads that do not divide
//                        the width; labels with gaps, duplicates or contradicting num_labels; an unknown problem_type
//   kFailedPrecondition  a sound model that this program cannot run: its model_type (with the supported ones), its
//                        head, activation function or position embeddings; a decoder; quantised weights
absl::StatusOr<ClassifierSpec> ParseConfig(std::string_view json, std::string_view name);

// Checks the names of a classifier's labels: at least one, valid UTF-8 of 1 to 256 bytes without control characters, no
// two equal. `what` begins the message. Error: kInvalidArgument.
absl::Status CheckLabels(const std::vector<std::string>& labels, std::string_view what);

}  // namespace ks
