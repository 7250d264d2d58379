// Tested by calibrated_file_test.cc.
#include "convert/calibrated_file.h"

#include <cmath>
#include <cstring>
#include <map>
#include <vector>

#include "base/mapped_file.h"
#include "base/replace_file.h"
#include "base/status.h"
#include "base/status_macros.h"
#include "checkpoint/safetensors.h"

namespace ks {
namespace {

constexpr std::string_view kHashKey = "weights_sha256";

// "x.query.weight" -> "x.query.weight_scale"
std::string ScaleName(const LinearNames& part) { return part.weight + "_scale"; }

std::string MultipliersName(const DenseLayer& layer) { return layer.name + ".multipliers"; }

// The bytes of rows [first, first + count) of a layer's array with `width` elements a row.
template <typename T>
std::span<const std::byte> RowsOf(const std::vector<T>& values, int first, int count, int width) {
  return std::as_bytes(
      std::span(values).subspan(static_cast<size_t>(first) * width, static_cast<size_t>(count) * width));
}

// Reads tensors of one file by name.
class Reader {
 public:
  Reader(std::string file, std::span<const TensorView> tensors) : file_(std::move(file)) {
    for (const TensorView& tensor : tensors) tensors_[tensor.name] = &tensor;
  }

  bool Has(const std::string& name) const { return tensors_.contains(name); }

  // Appends the values of `name`.
  template <typename T>
  absl::Status Append(const std::string& name, DType dtype, const std::vector<int64_t>& shape,
                      std::vector<T>& values) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) return DataLoss(file_, ": ", name, ": missing");
    const TensorView& tensor = *found->second;
    if (tensor.dtype != dtype || tensor.shape != shape) {
      return DataLoss(file_, ": ", name, ": expected ", DTypeName(dtype), " ", ShapeText(shape), ", found ",
                      DTypeName(tensor.dtype), " ", ShapeText(tensor.shape));
    }
    const size_t before = values.size();
    values.resize(before + tensor.bytes.size() / sizeof(T));
    std::memcpy(values.data() + before, tensor.bytes.data(), tensor.bytes.size());
    return absl::OkStatus();
  }

  absl::StatusOr<QuantizedDense> Dense(const DenseLayer& layer) const {
    QuantizedDense dense = {
        .values = {}, .scales = {}, .bias = {}, .multipliers = {}, .inputs = layer.inputs, .outputs = layer.outputs};
    const int64_t rows = layer.outputs / static_cast<int64_t>(layer.parts.size());
    for (const LinearNames& part : layer.parts) {
      KS_RETURN_IF_ERROR(Append(part.weight, DType::kI8, {rows, layer.inputs}, dense.values));
      KS_RETURN_IF_ERROR(Append(ScaleName(part), DType::kF32, {rows}, dense.scales));
      KS_RETURN_IF_ERROR(Append(part.bias, DType::kF32, {rows}, dense.bias));
    }
    KS_RETURN_IF_ERROR(Append(MultipliersName(layer), DType::kF32, {layer.inputs}, dense.multipliers));
    for (const std::vector<float>* floats : {&dense.scales, &dense.bias, &dense.multipliers}) {
      for (const float value : *floats) {
        if (std::isfinite(value)) continue;
        return DataLoss(file_, ": ", layer.name, ": a scale, bias or multiplier is no finite number");
      }
    }
    for (const int8_t value : dense.values) {
      if (value == -128) return DataLoss(file_, ": ", layer.name, ": expected weights from -127 to 127, found -128");
    }
    return dense;
  }

 private:
  std::string file_;
  std::map<std::string, const TensorView*, std::less<>> tensors_;
};

}  // namespace

absl::Status SaveCalibrated(const std::filesystem::path& path, const ClassifierSpec& spec,
                            const QuantizedLayers& layers, const std::string& weights_sha256) {
  std::vector<TensorDescription> descriptions;
  std::vector<std::span<const std::byte>> contents;
  const std::vector<DenseLayer> names = DenseLayers(spec);
  for (size_t i = 0; i < names.size(); ++i) {
    if (!layers.dense[i]) continue;
    const QuantizedDense& dense = *layers.dense[i];
    const int rows = dense.outputs / static_cast<int>(names[i].parts.size());
    int first = 0;
    for (const LinearNames& part : names[i].parts) {
      descriptions.push_back({part.weight, DType::kI8, {rows, dense.inputs}});
      contents.push_back(RowsOf(dense.values, first, rows, dense.inputs));
      descriptions.push_back({ScaleName(part), DType::kF32, {rows}});
      contents.push_back(RowsOf(dense.scales, first, rows, 1));
      descriptions.push_back({part.bias, DType::kF32, {rows}});
      contents.push_back(RowsOf(dense.bias, first, rows, 1));
      first += rows;
    }
    descriptions.push_back({MultipliersName(names[i]), DType::kF32, {dense.inputs}});
    contents.push_back(RowsOf(dense.multipliers, 0, dense.inputs, 1));
  }
  const SafetensorsPlan plan = PlanSafetensors(descriptions, {{std::string(kHashKey), weights_sha256}});
  std::string bytes = plan.header;
  for (const TensorPlace& place : plan.places) {
    const std::span<const std::byte> content = contents[place.index];
    bytes.append(reinterpret_cast<const char*>(content.data()), content.size());
  }
  return ReplaceFile(path, bytes);
}

absl::StatusOr<QuantizedLayers> LoadCalibrated(const std::filesystem::path& path, const ClassifierSpec& spec,
                                               const std::string& weights_sha256) {
  KS_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  KS_ASSIGN_OR_RETURN(const SafetensorsMetadata metadata, ReadSafetensorsMetadata(file.bytes(), path.string()));
  const auto hash = metadata.find(kHashKey);
  if (hash == metadata.end()) return DataLoss(path.string(), ": ", kHashKey, ": missing in the metadata");
  if (hash->second != weights_sha256) {
    return FailedPrecondition(path.string(), ": made for weights of sha256 ", hash->second, ", the checkpoint's are ",
                              weights_sha256, ": calibrate anew, or remove the file");
  }
  KS_ASSIGN_OR_RETURN(const std::vector<TensorView> tensors, ReadSafetensors(file.bytes(), path.string()));
  const Reader reader(path.string(), tensors);
  QuantizedLayers layers = {.dense = {}, .calibrated = true};
  for (const DenseLayer& layer : DenseLayers(spec)) {
    std::optional<QuantizedDense>& dense = layers.dense.emplace_back();
    if (!reader.Has(layer.parts.front().weight)) continue;
    KS_ASSIGN_OR_RETURN(dense, reader.Dense(layer));
  }
  return layers;
}

}  // namespace ks
