// Tested by int8_file_test.cc.
#include "convert/int8_file.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/half.h"
#include "base/status.h"
#include "base/status_macros.h"
#include "convert/packed_dense.h"

namespace ks {
namespace {

template <typename Values>
std::vector<std::byte> BytesOf(const Values& values) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

absl::StatusOr<std::vector<std::byte>> Halves(const std::vector<float>& values, const std::string& name) {
  std::vector<uint16_t> halves(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    halves[i] = ToHalf(values[i]);
    if ((halves[i] & 0x7C00) == 0x7C00) {
      return FailedPrecondition(name, ": expected values that float16 can hold, at most 65504, found ", values[i]);
    }
  }
  return BytesOf(halves);
}

bool IsTable(const WeightNames& names, const std::string& name) {
  return name == names.word_embeddings || name == names.position_embeddings || name == names.token_type_embeddings;
}

}  // namespace

void Int8File::Add(std::string name, DType dtype, std::vector<int64_t> shape, Producer produce) {
  descriptions_.push_back({std::move(name), dtype, std::move(shape)});
  producers_.push_back(std::move(produce));
}

void Int8File::AddFloats(const PackageWeights& weights, const TensorSpec& tensor, DType dtype) {
  Add(tensor.name, dtype, tensor.shape, [&weights, name = tensor.name, dtype]() -> absl::StatusOr<Bytes> {
    KS_ASSIGN_OR_RETURN(const std::vector<float> values, weights.Read(name));
    if (dtype == DType::kF16) return Halves(values, name);
    return BytesOf(values);
  });
}

void Int8File::AddDense(const DenseLayer& layer, const QuantizedDense& dense) {
  const auto packed = std::make_shared<const PackedDense>(dense);
  const auto padded = static_cast<int64_t>(packed->column_sums().size());
  const auto bytes = static_cast<int64_t>(packed->packed().size());
  Add(layer.name + ".packed", DType::kU8, {bytes}, [packed] { return BytesOf(packed->packed()); });
  Add(layer.name + ".scales", DType::kF32, {padded}, [packed] { return BytesOf(packed->scales()); });
  Add(layer.name + ".column_sums", DType::kI32, {padded}, [packed] { return BytesOf(packed->column_sums()); });
  Add(layer.name + ".bias", DType::kF32, {padded}, [packed] { return BytesOf(packed->bias()); });
  Add(layer.name + ".multipliers", DType::kF32, {layer.inputs}, [packed] { return BytesOf(packed->multipliers()); });
}

Int8File Int8File::Plan(const ClassifierSpec& spec, const PackageWeights& weights, const QuantizedLayers& layers) {
  Int8File file;
  const WeightNames names = NamesOfWeights(spec);
  const std::vector<DenseLayer> dense_layers = DenseLayers(spec);
  std::set<std::string> of_dense_layers;
  for (size_t i = 0; i < dense_layers.size(); ++i) {
    const DenseLayer& layer = dense_layers[i];
    for (const LinearNames& part : layer.parts) of_dense_layers.insert({part.weight, part.bias});
    if (layers.dense[i]) {
      file.AddDense(layer, *layers.dense[i]);
      continue;
    }
    const auto read = [&weights, layer] { return ReadDense(weights, layer); };
    file.Add(layer.name + ".weight", DType::kF32, {layer.outputs, layer.inputs}, [read]() -> absl::StatusOr<Bytes> {
      KS_ASSIGN_OR_RETURN(const FloatDense dense, read());
      return BytesOf(dense.weight);
    });
    file.Add(layer.name + ".bias", DType::kF32, {layer.outputs}, [read]() -> absl::StatusOr<Bytes> {
      KS_ASSIGN_OR_RETURN(const FloatDense dense, read());
      return BytesOf(dense.bias);
    });
  }
  for (const TensorSpec& tensor : ExpectedTensors(spec)) {
    if (of_dense_layers.contains(tensor.name)) continue;
    file.AddFloats(weights, tensor, IsTable(names, tensor.name) ? DType::kF16 : DType::kF32);
  }
  file.plan_ = PlanSafetensors(file.descriptions_);
  return file;
}

absl::Status Int8File::Write(const ByteSink& sink) const {
  KS_RETURN_IF_ERROR(sink(std::as_bytes(std::span(plan_.header))));
  for (const TensorPlace& place : plan_.places) {
    KS_ASSIGN_OR_RETURN(const Bytes bytes, producers_[place.index]());
    KS_RETURN_IF_ERROR(sink(bytes));
  }
  return absl::OkStatus();
}

TensorPlacement Int8File::Placement(std::string_view file) const { return PlacementOf(plan_, descriptions_, file); }

namespace {

// Tensors of int8.bin by name, checked; the first error stays.
class Finder {
 public:
  Finder(std::span<const TensorView> tensors, std::string_view file) : file_(file) {
    for (const TensorView& tensor : tensors) tensors_[tensor.name] = &tensor;
  }

  template <typename T>
  const T* Find(const std::string& name, DType dtype, size_t count) {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) return Fail(DataLoss(file_, ": ", name, ": missing")), nullptr;
    const TensorView& tensor = *found->second;
    if (tensor.dtype != dtype || tensor.bytes.size() != count * sizeof(T)) {
      Fail(DataLoss(file_, ": ", name, ": expected ", count, " elements of ", DTypeName(dtype), ", found ",
                    tensor.elements(), " of ", DTypeName(tensor.dtype)));
      return nullptr;
    }
    return reinterpret_cast<const T*>(tensor.bytes.data());
  }

  bool Has(const std::string& name) const { return tensors_.contains(name); }

  const float* Floats(const std::string& name, int rows, int columns = 1) {
    return Find<float>(name, DType::kF32, static_cast<size_t>(rows) * static_cast<size_t>(columns));
  }

  const uint16_t* Table(const std::string& name, int rows, int columns) {
    return Find<uint16_t>(name, DType::kF16, static_cast<size_t>(rows) * static_cast<size_t>(columns));
  }

  NormWeights Norm(const NormNames& names, int width) {
    return {Floats(names.weight, width), Floats(names.bias, width)};
  }

  DenseWeights Fp32(const std::string& weight, const std::string& bias, int outputs, int inputs) {
    const DenseWeights::Part part = {Floats(weight, outputs, inputs), Floats(bias, outputs), outputs};
    return {.form = std::vector{part}, .inputs = inputs, .outputs = outputs};
  }

  DenseWeights Dense(const DenseLayer& layer) {
    if (Has(layer.name + ".weight")) {
      return Fp32(layer.name + ".weight", layer.name + ".bias", layer.outputs, layer.inputs);
    }
    const size_t padded = static_cast<size_t>(PaddedOutputs(layer.outputs));
    const Int8Weights int8 = {
        .packed = Find<int8_t>(layer.name + ".packed", DType::kU8, PackedInt8Bytes(layer.outputs, layer.inputs)),
        .scales = Find<float>(layer.name + ".scales", DType::kF32, padded),
        .column_sums = Find<int32_t>(layer.name + ".column_sums", DType::kI32, padded),
        .bias = Find<float>(layer.name + ".bias", DType::kF32, padded),
        .multipliers = Floats(layer.name + ".multipliers", layer.inputs),
        .inputs = layer.inputs,
        .outputs = layer.outputs};
    return {.form = int8, .inputs = layer.inputs, .outputs = layer.outputs};
  }

  const absl::Status& status() const { return status_; }

 private:
  void Fail(absl::Status status) {
    if (status_.ok()) status_ = std::move(status);
  }

  std::string_view file_;
  absl::flat_hash_map<std::string, const TensorView*> tensors_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<EncoderWeights> ReadInt8Weights(const ClassifierSpec& spec, std::span<const std::byte> file,
                                               std::string_view name) {
  KS_ASSIGN_OR_RETURN(const std::vector<TensorView> tensors, ReadSafetensors(file, name));
  const EncoderSpec& encoder = spec.encoder;
  const WeightNames names = NamesOfWeights(spec);
  const int width = encoder.hidden_size;
  Finder finder(tensors, name);
  EncoderWeights weights;
  EmbeddingTables<uint16_t> tables = {
      .word = finder.Table(names.word_embeddings, encoder.vocab_size, width),
      .position = finder.Table(names.position_embeddings, encoder.max_positions, width)};
  if (encoder.type_vocab_size > 0) {
    tables.type = finder.Table(names.token_type_embeddings, encoder.type_vocab_size, width);
  }
  weights.tables = tables;
  weights.embedding_norm = finder.Norm(names.embedding_norm, width);
  for (const DenseLayer& layer : DenseLayers(spec)) weights.dense.push_back(finder.Dense(layer));
  for (const LayerNames& layer : names.layers) {
    weights.norms.push_back({finder.Norm(layer.attention_norm, width), finder.Norm(layer.ffn_norm, width)});
  }
  weights.pooler = finder.Fp32(names.pooler.weight, names.pooler.bias, width, width);
  weights.classifier = finder.Fp32(names.classifier.weight, names.classifier.bias, spec.num_labels(), width);
  KS_RETURN_IF_ERROR(finder.status());
  return weights;
}

}  // namespace ks
