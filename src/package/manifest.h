// manifest.json: what a package says of itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/classifier_spec.h"

namespace ks {

// Readers take this version and the one before it. 1: fp32 alone. 2: int8, with logits of its own; then what fp32 needs
// is optional. The graphs' operators (backend/onnx/operators.h) may become more, never fewer, within a version.
inline constexpr int kPackageFormatVersion = 2;
inline constexpr int kOldestPackageFormatVersion = kPackageFormatVersion - 1;

// The value of the manifest's "format".
inline constexpr std::string_view kPackageFormat = "kubesentiment-package";

// What Manifest::temperature may be.
inline constexpr double kMinTemperature = 1e-3;
inline constexpr double kMaxTemperature = 1e3;

// Longest manifest.json that is read.
inline constexpr size_t kMaxManifestBytes = 16 << 20;

struct PackageFile {
  std::string name;  // no directory part
  int64_t size_bytes = 0;
  std::string sha256;  // 64 hexadecimal digits
  // Not needed to serve in the first precision (portable.onnx; fp32 beside int8): an installation may leave it out.
  bool optional = false;
};

// A bundled text with the logits this package must give for it, in each of its precisions; of the others, none.
struct SelfCheck {
  std::string text;
  std::vector<float> fp32_logits = {};  // [C]  to be met closely: the runtime's own arithmetic
  std::vector<float> int8_logits = {};  // [C]  to be met to the bit
};

// How the int8 weights were made.
struct Int8Description {
  bool calibrated = false;               // fitted to texts; otherwise each weight is rounded alone
  std::vector<std::string> fp32_layers;  // names of the dense layers left in fp32
};

struct Manifest {
  int format_version = kPackageFormatVersion;
  std::string name;  // of the model; the metrics' `model` label: letters, digits, '.', '_' and '-', at most 128
  ClassifierSpec spec;
  float temperature = 1.0f;             // divides the logits inside softmax and sigmoid only
  int window = 0;                       // longest sequence in tokens, special ones included
  std::vector<std::string> precisions;  // "fp32", "int8"
  Int8Description int8;                 // where precisions has it
  bool gate_skipped = false;            // convert was told not to compare the precisions (--no-gate)
  std::vector<PackageFile> files;       // every file but manifest.json and validation.json, by name
  std::vector<SelfCheck> self_checks;
  std::string
      source_sha256;  // of the checkpoint's weights, config and tokenizer: provenance without time, host or path

  bool HasPrecision(std::string_view precision) const;

  // What came of comparing int8 with fp32 before the package was put in place: "passed" or "skipped". Nothing where
  // there were not two precisions to compare.
  std::optional<std::string_view> GateVerdict() const;
};

// True for a name that Manifest::name may have.
bool IsModelName(std::string_view name);

// JSON, two-space indented for people, the same bytes for the same manifest.
std::string ManifestToJson(const Manifest& manifest);

// `name` begins the messages.
// Errors: kInvalidArgument naming the field (damaged or hand-edited JSON); kFailedPrecondition naming both format
// versions where this program cannot read it.
absl::StatusOr<Manifest> ManifestFromJson(std::string_view json, std::string_view name);

}  // namespace ks
