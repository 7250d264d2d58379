// A Hugging Face model directory -> a package.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "package/manifest.h"

namespace ks {

inline constexpr char kConfigFile[] = "config.json";

// Longest config.json that is read.
inline constexpr size_t kMaxConfigBytes = 16 << 20;

struct ConvertOptions {
  std::filesystem::path checkpoint_dir;  // config.json, tokenizer.json, model.safetensors (or its shards and index)
  std::filesystem::path output_dir;      // the package; its parent must exist
  bool overwrite = false;                // a package at output_dir is replaced, in one step
  std::vector<std::string> precisions = {"fp32", "int8"};  // one or both
  std::string name;                 // of the model; empty: the checkpoint directory's, what is no name character as '-'
  std::vector<std::string> labels;  // instead of config.json's, in the order of the logits; empty: config.json's
  int max_length = 0;               // the window in tokens, special ones included; 0: all positions of the model
  // Kept in the manifest. Nothing: temperature.json beside the checkpoint (convert/temperature_file.h) where there is one,
  // otherwise 1.
  std::optional<float> temperature = {};
  std::filesystem::path save_temperature;  // where to keep `temperature` for these weights; empty: nowhere
  // Texts to fit the int8 weights to (convert/calibrate.h); empty: int8_calibrated.safetensors beside the checkpoint where
  // there is one, otherwise each weight is rounded alone.
  std::vector<std::string> calibration_texts;
  std::filesystem::path
      save_calibrated;         // where to keep what the texts gave (convert/calibrated_file.h); empty: nowhere
  bool portable_int8 = false;  // also write int8 in standard operators, for other programs
  std::vector<std::string> fp32_layers;                 // dense layers that int8 leaves in fp32 (model/dense_layers.h)
  std::function<void(std::string_view step)> progress;  // told what begins: "weights", "graphs", ...; may be empty
  // Asked once the package is whole, in the directory given, and before it is put in place; may add validation.json.
  // `texts`: those of calibration_texts that int8 was fitted to. Its error leaves nothing. Empty: the manifest says that
  // the gate was skipped.
  std::function<absl::Status(const std::filesystem::path& package, std::span<const std::string> texts)> gate;
};

struct ConvertReport {
  std::filesystem::path directory;  // of the package, links followed
  Manifest manifest;
  int64_t bytes = 0;  // of all files
};

// Converts: for fp32 the weights widened exactly, the serving graph and the portable one; for int8 the dense layers
// rounded (convert/quantize.h), the embeddings in float16 and a graph of its own, with `portable_int8` a second one; the
// tokenizer as it came and compiled; self-checks computed by the deterministic kernels. Beside int8, what fp32 needs is
// optional. Everything is read and checked before anything is written, and the package appears whole or not at all. The
// same input and options give the same bytes on every machine.
//
// Blocks: a few seconds for each gigabyte of weights, and the disk's flush.
//
// Errors, each naming file and field or tensor, what was expected and what was found:
//   kInvalidArgument     config.json or tokenizer.json cannot be used; an option out of its range
//   kFailedPrecondition  a sound model that this program cannot convert; an output_dir that is not a package; what the
//                        gate says; calibrated weights or a temperature of another checkpoint
//   kNotFound            no such directory, no tokenizer.json, no weights, a tensor missing
//   kDataLoss            damaged weights, or weights that contradict config.json or hold a NaN
//   kAlreadyExists       output_dir exists and options.overwrite is false
//   kPermissionDenied, kResourceExhausted   the disk refuses or is full; nothing is left there
absl::StatusOr<ConvertReport> Convert(const ConvertOptions& options);

}  // namespace ks
