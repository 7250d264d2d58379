#include "backend/onnx/testing/serving_directory.h"

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "base/status.h"
#include "base/status_macros.h"
#include "checkpoint/checkpoint.h"
#include "graph/encoder_graph.h"
#include "model/config.h"
#include "model/weights.h"

namespace ks {
namespace {

absl::Status WriteAll(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  return file ? absl::OkStatus() : Internal(path.string(), " could not be written");
}

}  // namespace

absl::StatusOr<ServingDirectory> ServingDirectory::Make(const std::filesystem::path& checkpoint_directory) {
  ServingDirectory made;
  std::string pattern = (std::filesystem::temp_directory_path() / "ks_serving_XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) return ErrnoStatus(errno, pattern);
  made.path_ = pattern;

  KS_ASSIGN_OR_RETURN(const std::string config, ReadFile(checkpoint_directory / "config.json", 1 << 20));
  KS_ASSIGN_OR_RETURN(made.spec_, ParseConfig(config, "config.json"));
  KS_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(checkpoint_directory));

  TensorPlacement placement;
  std::string bytes = "not aligned";  // the runtime may not ask for an alignment that safetensors do not promise
  for (const TensorSpec& expected : ExpectedTensors(made.spec_)) {
    const TensorView* tensor = checkpoint.Find(expected.name);
    if (tensor == nullptr) return NotFound(expected.name);
    size_t elements = 1;
    for (const int64_t size : tensor->shape) elements *= size;
    std::vector<float> values(elements);
    KS_RETURN_IF_ERROR(ToFloat32(*tensor, 0, values));
    const size_t size = values.size() * sizeof(float);
    placement[expected.name] = {.file = kTestWeightsFile,
                                .offset = static_cast<int64_t>(bytes.size()),
                                .bytes = static_cast<int64_t>(size),
                                .shape = tensor->shape};
    bytes.append(reinterpret_cast<const char*>(values.data()), size);
  }
  KS_RETURN_IF_ERROR(WriteAll(made.path_ / kTestWeightsFile, bytes));
  KS_ASSIGN_OR_RETURN(const std::string graph, EmitServingGraph(made.spec_, placement));
  KS_RETURN_IF_ERROR(WriteAll(made.graph(), graph));
  return made;
}

ServingDirectory::~ServingDirectory() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace ks
