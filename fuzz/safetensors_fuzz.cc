// Whatever the bytes: an error, or views inside them that a planned file of the same tensors gives back.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/safetensors.h"

namespace {

void Check(bool holds) {
  if (!holds) __builtin_trap();
}

void CheckPlan(const std::vector<ks::TensorView>& tensors) {
  std::vector<ks::TensorDescription> descriptions;
  for (const ks::TensorView& tensor : tensors) descriptions.push_back({tensor.name, tensor.dtype, tensor.shape});
  const ks::SafetensorsPlan plan = ks::PlanSafetensors(descriptions);
  std::string file = plan.header;
  for (const ks::TensorPlace& place : plan.places) {
    Check(place.file_offset == file.size());
    file.append(reinterpret_cast<const char*>(tensors[place.index].bytes.data()), place.bytes);
  }
  Check(file.size() == plan.file_bytes);
  const auto read = ks::ReadSafetensors(std::as_bytes(std::span(file)), "planned");
  Check(read.ok() && read->size() == tensors.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> file(reinterpret_cast<const std::byte*>(data), size);
  const auto tensors = ks::ReadSafetensors(file, "input");
  if (!tensors.ok()) {
    Check(!tensors.status().message().empty());
    return 0;
  }
  for (const ks::TensorView& tensor : *tensors) {
    Check(tensor.bytes.empty() || (tensor.bytes.data() >= file.data() &&
                                   tensor.bytes.data() + tensor.bytes.size() <= file.data() + file.size()));
    std::vector<float> values(tensor.elements());
    (void)ks::ToFloat32(tensor, 0, values);
  }
  CheckPlan(*tensors);
  return 0;
}
