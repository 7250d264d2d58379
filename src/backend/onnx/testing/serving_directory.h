// Test support: what the ONNX backend opens, made from a checkpoint without the rooms above it.
#pragma once

#include <filesystem>
#include <utility>

#include "absl/status/statusor.h"
#include "model/classifier_spec.h"

namespace ks {

inline constexpr char kTestGraphFile[] = "graph.onnx";
inline constexpr char kTestWeightsFile[] = "weights.bin";

// A new directory that is removed with the object, with kTestGraphFile (EmitServingGraph) and its float32 weights.
class ServingDirectory {
 public:
  // `checkpoint` is a Hugging Face model directory.
  static absl::StatusOr<ServingDirectory> Make(const std::filesystem::path& checkpoint);

  ServingDirectory(ServingDirectory&& other) noexcept : path_(std::exchange(other.path_, {})), spec_(other.spec_) {}
  ~ServingDirectory();

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path graph() const { return path_ / kTestGraphFile; }
  const ClassifierSpec& spec() const { return spec_; }

 private:
  ServingDirectory() = default;

  std::filesystem::path path_;
  ClassifierSpec spec_;
};

}  // namespace ks
