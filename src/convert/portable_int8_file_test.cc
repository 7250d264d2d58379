#include "convert/portable_int8_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "base/strings.h"
#include "base/testing/temp_directory.h"
#include "convert/int8_file.h"
#include "convert/testing/tiny_checkpoint.h"

namespace ks {
namespace {

// The bytes that `file` writes.
template <typename File>
std::string Bytes(const File& file) {
  std::string written;
  const absl::Status status = file.Write([&](std::span<const std::byte> bytes) {
    written.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  return written;
}

// A tiny checkpoint, its rounded layers, int8.bin and portable_int8.bin.
class PortableInt8FileTest : public ::testing::TestWithParam<Architecture> {
 protected:
  void SetUp() override {
    const TinyCheckpointOptions options = {.architecture = GetParam()};
    spec_ = TinySpec(options);
    ASSERT_TRUE(WriteTinyCheckpoint(temp_ / "tiny", options).ok());
    checkpoint_ = *Checkpoint::Open(temp_ / "tiny");
    weights_ = *PackageWeights::Plan(checkpoint_, spec_);
  }

  void Write(const std::vector<std::string>& fp32_layers = {}) {
    layers_ = *RoundLayers(spec_, weights_, fp32_layers);
    const Int8File int8 = Int8File::Plan(spec_, weights_, layers_);
    const PortableInt8File portable = PortableInt8File::Plan(spec_, layers_);
    files_ = {{"int8.bin", Bytes(int8)}, {"portable_int8.bin", Bytes(portable)}};
    placement_ = portable.Placement("portable_int8.bin", int8.Placement("int8.bin"));
  }

  // What lies where the placement says that `name` is.
  template <typename T>
  std::vector<T> Read(const std::string& name, const std::string& file) {
    const TensorLocation& place = placement_.at(name);
    EXPECT_EQ(place.file, file) << name;
    std::vector<T> values(static_cast<size_t>(place.bytes) / sizeof(T));
    std::memcpy(values.data(), files_.at(place.file).data() + place.offset, static_cast<size_t>(place.bytes));
    return values;
  }

  const TempDirectory temp_;
  ClassifierSpec spec_;
  Checkpoint checkpoint_;
  PackageWeights weights_;
  QuantizedLayers layers_;
  std::map<std::string, std::string> files_;
  TensorPlacement placement_;
};

TEST_P(PortableInt8FileTest, PlacesEveryPartOfALayer) {
  Write();
  const std::vector<DenseLayer> dense_layers = DenseLayers(spec_);
  for (size_t i = 0; i < dense_layers.size(); ++i) {
    const QuantizedDense& dense = *layers_.dense[i];
    EXPECT_EQ(Read<float>(dense_layers[i].parts.front().weight + ".multipliers", "int8.bin"), dense.multipliers);
    int row = 0;
    for (const LinearNames& part : dense_layers[i].parts) {
      const auto matrix = Read<int8_t>(part.weight + ".int8", "portable_int8.bin");
      const auto scales = Read<float>(part.weight + ".scales", "int8.bin");
      const auto sums = Read<int32_t>(part.weight + ".column_sums", "int8.bin");
      const auto bias = Read<float>(part.bias, "int8.bin");
      const int outputs = static_cast<int>(bias.size());
      ASSERT_EQ(matrix.size(), static_cast<size_t>(dense.inputs) * outputs);
      for (int n = 0; n < outputs; ++n, ++row) {
        int32_t sum = 0;
        for (int k = 0; k < dense.inputs; ++k) {
          ASSERT_EQ(matrix[static_cast<size_t>(k) * outputs + n],
                    dense.values[static_cast<size_t>(row) * dense.inputs + k]);
          sum += matrix[static_cast<size_t>(k) * outputs + n];
        }
        EXPECT_EQ(sums[n], sum) << part.weight << " " << n;
        EXPECT_EQ(scales[n], dense.scales[row]) << part.weight << " " << n;
        EXPECT_EQ(bias[n], dense.bias[row]) << part.weight << " " << n;
      }
    }
    EXPECT_EQ(row, dense.outputs);
  }
}

TEST_P(PortableInt8FileTest, HoldsTheMatricesAlone) {
  Write();
  const std::string& file = files_.at("portable_int8.bin");
  const auto tensors = ReadSafetensors(std::as_bytes(std::span(file)), "portable_int8.bin");
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  EXPECT_EQ(tensors->size(), 6u * static_cast<size_t>(spec_.encoder.layers));
  for (const TensorView& tensor : *tensors) EXPECT_EQ(tensor.dtype, DType::kI8) << tensor.name;
}

TEST_P(PortableInt8FileTest, SuitsTheGraphAndFindsWhatStaysInFp32) {
  Write({"layer.0.qkv", "layer.1.ffn.out"});
  const absl::StatusOr<std::string> graph = EmitPortableInt8Graph(spec_, placement_);
  EXPECT_TRUE(graph.ok()) << graph.status();
  for (const DenseLayer& layer : DenseLayers(spec_)) {
    const bool kept = layer.name == "layer.0.qkv" || layer.name == "layer.1.ffn.out";
    for (const LinearNames& part : layer.parts) {
      EXPECT_EQ(placement_.contains(part.weight + ".int8"), !kept);
      if (!kept) continue;
      EXPECT_EQ(Read<float>(part.weight, "int8.bin"), *weights_.Read(part.weight));
      EXPECT_EQ(Read<float>(part.bias, "int8.bin"), *weights_.Read(part.bias));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Architectures, PortableInt8FileTest,
                         ::testing::Values(Architecture::kBert, Architecture::kDistilBert),
                         [](const auto& instance) { return std::string(ArchitectureName(instance.param)); });

}  // namespace
}  // namespace ks
