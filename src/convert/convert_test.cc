#include "convert/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "base/testing/temp_directory.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors.h"
#include "convert/calibrate.h"
#include "convert/calibrated_file.h"
#include "convert/temperature_file.h"
#include "convert/testing/tiny_checkpoint.h"
#include "model/weights.h"
#include "package/package.h"
#include "text/tokenizer.h"

namespace ks {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class ConvertTest : public ::testing::Test {
 protected:
  ConvertTest() {
    options_.checkpoint_dir = root_ / "tiny model";
    options_.output_dir = root_ / "package";
  }

  void WriteCheckpoint(const TinyCheckpointOptions& options = {}) {
    fs::remove_all(options_.checkpoint_dir);
    const absl::Status status = WriteTinyCheckpoint(options_.checkpoint_dir, options);
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string ReadInput(const std::string& file) { return *ReadFile(options_.checkpoint_dir / file, 64 << 20); }
  void WriteInput(const std::string& file, std::string_view content) {
    std::ofstream(options_.checkpoint_dir / file, std::ios::binary | std::ios::trunc) << content;
  }
  void EditInput(const std::string& file, std::string_view from, std::string_view to) {
    std::string text = ReadInput(file);
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    WriteInput(file, text.replace(at, from.size(), to));
  }
  // Convert fails with this and leaves no trace.
  void ExpectError(absl::StatusCode code, const std::string& part) {
    const absl::Status status = Convert(options_).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(part));
    for (const auto& entry : fs::directory_iterator(root_)) EXPECT_EQ(entry.path(), options_.checkpoint_dir);
  }
  std::vector<std::string> PackageBytes(const fs::path& directory) {
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(directory)) {
      files.push_back(entry.path().filename().string() + "=" + *ReadFile(entry.path(), 64 << 20));
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  const TempDirectory temp_;
  const fs::path& root_ = temp_.path();
  ConvertOptions options_;
};

TEST_F(ConvertTest, MakesAWholePackageOfEachArchitecture) {
  for (const Architecture architecture : {Architecture::kBert, Architecture::kDistilBert}) {
    const TinyCheckpointOptions tiny = {.architecture = architecture};
    WriteCheckpoint(tiny);
    options_.overwrite = true;
    const auto report = Convert(options_);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->directory, options_.output_dir);

    const auto package = Package::Open(options_.output_dir);
    ASSERT_TRUE(package.ok()) << package.status();
    EXPECT_TRUE((*package)->Verify().ok());
    const Manifest& manifest = (*package)->manifest();
    EXPECT_EQ(manifest.spec, TinySpec(tiny));
    EXPECT_EQ(manifest.name, "tiny-model");
    EXPECT_EQ(manifest.window, 40);
    EXPECT_EQ(manifest.temperature, 1.0f);
    EXPECT_THAT(manifest.precisions, ElementsAre("fp32", "int8"));
    std::vector<std::string> names;
    for (const PackageFile& file : manifest.files) names.push_back(file.name);
    EXPECT_THAT(names, ElementsAre("fp32.onnx", "int8.bin", "int8.onnx", "model.safetensors", "portable.onnx",
                                   "tokenizer.bin", "tokenizer.json"));
    EXPECT_FALSE(manifest.int8.calibrated);
    EXPECT_TRUE(manifest.int8.fp32_layers.empty());
    EXPECT_FALSE(manifest.self_checks.empty());
    EXPECT_EQ(*ReadFile(options_.output_dir / "tokenizer.json", 1 << 20), ReadInput("tokenizer.json"));
    EXPECT_EQ(Tokenizer::FromCompiled((*package)->tokenizer())->vocab_size(), manifest.spec.encoder.vocab_size);
  }
}

TEST_F(ConvertTest, WritesTheWeightsInFloat32UnderTheirNames) {
  WriteCheckpoint({.dtype = DType::kF16, .shards = 2});
  ASSERT_TRUE(Convert(options_).ok());
  const auto original = Checkpoint::Open(options_.checkpoint_dir);
  const auto package = Checkpoint::Open(options_.output_dir);
  ASSERT_TRUE(package.ok()) << package.status();
  const std::vector<TensorSpec> expected = ExpectedTensors(TinySpec());
  EXPECT_EQ(package->tensors().size(), expected.size());
  for (const TensorSpec& spec : expected) {
    const TensorView* tensor = package->Find(spec.name);
    ASSERT_NE(tensor, nullptr) << spec.name;
    EXPECT_EQ(tensor->shape, spec.shape);
    ASSERT_EQ(tensor->dtype, DType::kF32);
    std::vector<float> written(tensor->elements()), read(tensor->elements());
    ASSERT_TRUE(ToFloat32(*tensor, 0, written).ok());
    ASSERT_TRUE(ToFloat32(*original->Find(spec.name), 0, read).ok());
    EXPECT_EQ(written, read) << spec.name;
    if (spec.name != "classifier.bias") {
      EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor->bytes.data()) % 64, 0u) << spec.name;
    }
  }
}

TEST_F(ConvertTest, TheSameInputGivesTheSameBytes) {
  WriteCheckpoint();
  ASSERT_TRUE(Convert(options_).ok());
  const std::vector<std::string> first = PackageBytes(options_.output_dir);
  options_.overwrite = true;
  ASSERT_TRUE(Convert(options_).ok());
  EXPECT_EQ(PackageBytes(options_.output_dir), first);
  for (const std::string& file : first) EXPECT_EQ(file.find(root_.string()), file.npos) << "a path of this machine";
}

TEST_F(ConvertTest, GivesTheSameModelFromEveryFormOfTheWeights) {
  WriteCheckpoint();
  ASSERT_TRUE(Convert(options_).ok());
  const std::string weights = *ReadFile(options_.output_dir / kWeightsFile, 64 << 20);
  options_.overwrite = true;
  for (const TinyCheckpointOptions& form :
       {TinyCheckpointOptions{.dtype = DType::kF16}, TinyCheckpointOptions{.dtype = DType::kBF16, .shards = 3},
        TinyCheckpointOptions{.legacy_norm_names = true}}) {
    WriteCheckpoint(form);
    const auto report = Convert(options_);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(*ReadFile(options_.output_dir / kWeightsFile, 64 << 20), weights);
  }
}

TEST_F(ConvertTest, TakesNameLabelsWindowAndTemperature) {
  WriteCheckpoint();
  options_.name = "mine";
  options_.labels = {"bad", "so-so", "good"};
  options_.max_length = 16;
  options_.temperature = 1.5f;
  const auto report = Convert(options_);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->manifest.name, "mine");
  EXPECT_THAT(report->manifest.spec.labels, ElementsAre("bad", "so-so", "good"));
  EXPECT_EQ(report->manifest.window, 16);
  EXPECT_EQ(report->manifest.temperature, 1.5f);
}

TEST_F(ConvertTest, MakesOnePrecisionWhereAskedTo) {
  WriteCheckpoint();
  const auto files = [&] {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(options_.output_dir)) names.push_back(entry.path().filename());
    return names;
  };
  options_.precisions = {"int8"};
  ASSERT_TRUE(Convert(options_).ok());
  EXPECT_THAT(files(),
              UnorderedElementsAre("int8.bin", "int8.onnx", "manifest.json", "tokenizer.bin", "tokenizer.json"));
  options_.precisions = {"fp32"};
  options_.overwrite = true;
  const auto report = Convert(options_);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(files(), UnorderedElementsAre("fp32.onnx", "manifest.json", "model.safetensors", "portable.onnx",
                                            "tokenizer.bin", "tokenizer.json"));
  for (const PackageFile& file : report->manifest.files) EXPECT_EQ(file.optional, file.name == kPortableGraphFile);
}

TEST_F(ConvertTest, AddsPortableInt8WhereAskedTo) {
  for (const Architecture architecture : {Architecture::kBert, Architecture::kDistilBert}) {
    WriteCheckpoint({.architecture = architecture});
    options_.overwrite = true;
    options_.portable_int8 = true;
    options_.fp32_layers = {"layer.1.ffn.in"};
    for (const std::vector<std::string>& precisions : {std::vector<std::string>{"int8"}, {"fp32", "int8"}}) {
      options_.precisions = precisions;
      const auto report = Convert(options_);
      ASSERT_TRUE(report.ok()) << report.status();
      std::vector<std::string> portable;
      for (const PackageFile& file : report->manifest.files) {
        if (file.name.starts_with("portable_int8")) portable.push_back(file.name);
        EXPECT_EQ(file.optional, file.name != "int8.bin" && file.name != "int8.onnx" && !file.name.starts_with("tok"));
      }
      EXPECT_THAT(portable, ElementsAre("portable_int8.bin", "portable_int8.onnx"));
      EXPECT_TRUE((*Package::Open(options_.output_dir))->Verify().ok());
      fs::remove(options_.output_dir / kPortableInt8WeightsFile);
      EXPECT_TRUE(Package::Open(options_.output_dir).ok());
    }
  }
  fs::remove_all(options_.output_dir);
  options_.precisions = {"fp32"};
  options_.fp32_layers.clear();
  ExpectError(absl::StatusCode::kInvalidArgument, "portable: expected int8 among the precisions, found fp32 alone");
}

TEST_F(ConvertTest, MakesWhatFp32NeedsOptionalBesideInt8) {
  WriteCheckpoint();
  ASSERT_TRUE(Convert(options_).ok());
  for (const char* file : {kWeightsFile, kFp32GraphFile, kPortableGraphFile}) fs::remove(options_.output_dir / file);
  const auto package = Package::Open(options_.output_dir);
  ASSERT_TRUE(package.ok()) << package.status();
  EXPECT_THAT((*package)->precisions(), ElementsAre("int8"));
}

TEST_F(ConvertTest, KeepsDenseLayersInFp32) {
  WriteCheckpoint();
  options_.fp32_layers = {"layer.1.ffn.out", "layer.0.qkv"};
  const auto report = Convert(options_);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(report->manifest.int8.fp32_layers, ElementsAre("layer.0.qkv", "layer.1.ffn.out"));
}

TEST_F(ConvertTest, ListsTheLayersThatThereAre) {
  WriteCheckpoint();
  options_.fp32_layers = {"layer.1.ffn.out", "layer.2.qkv"};
  ExpectError(absl::StatusCode::kInvalidArgument,
              "keep-fp32: expected layers among layer.0.qkv, layer.0.attention.output, layer.0.ffn.in, ");
  ExpectError(absl::StatusCode::kInvalidArgument, "layer.1.ffn.out; found layer.2.qkv");
  options_.precisions = {"fp32"};
  ExpectError(absl::StatusCode::kInvalidArgument, "keep-fp32: expected int8 among the precisions");
}

TEST_F(ConvertTest, PacksWhatACalibrationLeftBesideTheCheckpoint) {
  WriteCheckpoint();
  options_.calibration_texts = {"good movie", "this is not great", "bad", "awful, awful, awful!", "i love the movie"};
  options_.save_calibrated = options_.checkpoint_dir / kCalibratedFile;
  const auto calibrated = Convert(options_);
  ASSERT_TRUE(calibrated.ok()) << calibrated.status();
  EXPECT_TRUE(calibrated->manifest.int8.calibrated);
  const std::vector<std::string> bytes = PackageBytes(options_.output_dir);

  options_.calibration_texts = {};
  options_.save_calibrated.clear();
  options_.overwrite = true;
  ASSERT_TRUE(Convert(options_).ok());
  EXPECT_EQ(PackageBytes(options_.output_dir), bytes);
  options_.fp32_layers = {"layer.1.ffn.in"};
  EXPECT_THAT(Convert(options_)->manifest.int8.fp32_layers, ElementsAre("layer.1.ffn.in"));

  fs::remove_all(options_.output_dir);
  const std::string old = ReadInput(kCalibratedFile);
  WriteCheckpoint({.seed = 2});
  WriteInput(kCalibratedFile, old);
  ExpectError(absl::StatusCode::kFailedPrecondition, "int8_calibrated.safetensors: made for weights of sha256 ");
}

TEST_F(ConvertTest, RefusesACalibrationThatHasNoUse) {
  WriteCheckpoint();
  options_.save_calibrated = root_ / "x";
  ExpectError(absl::StatusCode::kInvalidArgument, "save-calibrated: expected texts to calibrate on, found none");
  options_.calibration_texts = {"good"};
  options_.precisions = {"fp32"};
  ExpectError(absl::StatusCode::kInvalidArgument, "calibration: expected int8 among the precisions");
}

TEST_F(ConvertTest, RefusesPrecisionsThatThereAreNot) {
  WriteCheckpoint();
  options_.precisions = {"fp32", "fp16"};
  ExpectError(absl::StatusCode::kInvalidArgument, "precision: expected fp32, int8 or both, found fp16");
  options_.precisions = {"int8", "int8"};
  ExpectError(absl::StatusCode::kInvalidArgument, "precision: int8 is given twice");
  options_.precisions = {};
  ExpectError(absl::StatusCode::kInvalidArgument, "precision: expected fp32, int8 or both, found none");
}

TEST_F(ConvertTest, AsksTheGateBeforeAnythingIsInPlace) {
  WriteCheckpoint();
  options_.gate = [&](const fs::path& directory, std::span<const std::string> texts) {
    EXPECT_TRUE(texts.empty());
    EXPECT_TRUE(Package::Open(directory).ok());
    EXPECT_FALSE(fs::exists(options_.output_dir));
    return absl::FailedPreconditionError("too far apart");
  };
  ExpectError(absl::StatusCode::kFailedPrecondition, "too far apart");
  options_.gate = [](const fs::path&, std::span<const std::string>) { return absl::OkStatus(); };
  EXPECT_FALSE(Convert(options_)->manifest.gate_skipped);
  options_.gate = nullptr;
  options_.overwrite = true;
  EXPECT_TRUE(Convert(options_)->manifest.gate_skipped);
}

TEST_F(ConvertTest, AsksTheGateOverTheTextsThatInt8WasFittedTo) {
  WriteCheckpoint();
  // Each fills the window of 40 tokens, and 2000 of them are more than what is read.
  std::string text = "awful";
  for (int i = 0; i < 50; ++i) text += " movie";
  options_.calibration_texts.assign(2000, text);
  size_t asked = 0;
  options_.gate = [&](const fs::path&, std::span<const std::string> texts) {
    asked = texts.size();
    EXPECT_EQ(texts.data(), options_.calibration_texts.data());
    return absl::OkStatus();
  };
  ASSERT_TRUE(Convert(options_).ok());
  EXPECT_EQ(asked, static_cast<size_t>(kMaxCalibrationTokens / 40));
}

TEST_F(ConvertTest, KeepsATemperatureBesideTheCheckpoint) {
  WriteCheckpoint();
  EXPECT_EQ(Convert(options_)->manifest.temperature, 1.0f);
  options_.overwrite = true;
  options_.temperature = 1.25f;
  options_.save_temperature = options_.checkpoint_dir / kTemperatureFile;
  EXPECT_EQ(Convert(options_)->manifest.temperature, 1.25f);
  options_.temperature.reset();
  options_.save_temperature.clear();
  EXPECT_EQ(Convert(options_)->manifest.temperature, 1.25f);
  options_.temperature = 1.5f;  // once
  EXPECT_EQ(Convert(options_)->manifest.temperature, 1.5f);

  fs::remove_all(options_.output_dir);
  const std::string old = ReadInput(kTemperatureFile);
  WriteCheckpoint({.seed = 2});
  WriteInput(kTemperatureFile, old);
  EXPECT_EQ(Convert(options_)->manifest.temperature, 1.5f) << "what is said does not ask what is kept";
  fs::remove_all(options_.output_dir);
  options_.temperature.reset();
  ExpectError(absl::StatusCode::kFailedPrecondition, "temperature.json: fitted for weights of sha256 ");
}

TEST_F(ConvertTest, TellsItsSteps) {
  WriteCheckpoint();
  std::vector<std::string> steps;
  options_.progress = [&](std::string_view step) { steps.emplace_back(step); };
  ASSERT_TRUE(Convert(options_).ok());
  EXPECT_THAT(steps, ElementsAre("reading", "quantisation", "tokenizer", "fp32", "int8", "self-check"));
}

TEST_F(ConvertTest, RefusesOptionsOutOfRange) {
  WriteCheckpoint();
  options_.labels = {"A", "B"};
  ExpectError(absl::StatusCode::kInvalidArgument, "labels: expected 3, as many as the model has, found 2");
  options_.labels = {"A", "B", "A"};
  ExpectError(absl::StatusCode::kInvalidArgument, "labels: label 2: \"A\" is given twice");
  options_.labels.clear();
  options_.max_length = 41;
  ExpectError(absl::StatusCode::kInvalidArgument, "max_length: expected 3 to 40 (the model's positions), found 41");
  options_.max_length = 2;
  ExpectError(absl::StatusCode::kInvalidArgument, "max_length: expected 3 to 40");
  options_.max_length = 0;
  options_.name = "a/b";
  ExpectError(absl::StatusCode::kInvalidArgument, "name: expected");
  options_.name.clear();
  options_.temperature = -1.0f;
  ExpectError(absl::StatusCode::kInvalidArgument, "temperature: expected a number from 0.001 to 1000, found -1");
  options_.temperature.reset();
  options_.save_temperature = root_ / "x";
  ExpectError(absl::StatusCode::kInvalidArgument, "save-temperature: expected a temperature to keep, found none");
}

TEST_F(ConvertTest, SaysWhatIsMissing) {
  ExpectError(absl::StatusCode::kNotFound, "tiny model: no such directory");
  for (const char* file : {"config.json", "tokenizer.json", "model.safetensors"}) {
    WriteCheckpoint();
    fs::remove(options_.checkpoint_dir / file);
    ExpectError(absl::StatusCode::kNotFound, std::string("no") + (file[0] == 'm' ? "r" : std::string(" ") + file));
  }
}

TEST_F(ConvertTest, NamesTheModelTypeItCannotTake) {
  WriteCheckpoint();
  EditInput("config.json", "\"model_type\": \"bert\"", "\"model_type\": \"gpt2\"");
  ExpectError(absl::StatusCode::kFailedPrecondition,
              "config.json: model_type: expected a supported model type (bert or distilbert), found \"gpt2\"");
}

TEST_F(ConvertTest, RefusesAnotherModelsTokenizer) {
  WriteCheckpoint();
  const std::string size = std::to_string(TinySpec().encoder.vocab_size);
  EditInput("config.json", "\"vocab_size\": " + size, "\"vocab_size\": 100");
  ExpectError(absl::StatusCode::kInvalidArgument, "expected a vocabulary of 100 tokens, the vocab_size of config.json");
  EditInput("config.json", "\"vocab_size\": 100", "\"vocab_size\": 1000");
  ExpectError(absl::StatusCode::kInvalidArgument, "found " + size + ": is it another model's?");
}

TEST_F(ConvertTest, NamesTheTensorOfAnotherShape) {
  WriteCheckpoint();
  EditInput("config.json", "\"intermediate_size\": 64", "\"intermediate_size\": 60");
  ExpectError(
      absl::StatusCode::kDataLoss,
      "model.safetensors: bert.encoder.layer.0.intermediate.dense.weight: expected shape [60, 32] by config.json, "
      "found [64, 32]");
}

TEST_F(ConvertTest, NamesTheTensorThatIsMissing) {
  WriteCheckpoint();
  EditInput("config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
  ExpectError(absl::StatusCode::kNotFound,
              "model.safetensors: bert.encoder.layer.2.attention.self.query.weight: missing, expected [32, 32]");
}

TEST_F(ConvertTest, RecognisesABaseModelWithoutItsHead) {
  WriteCheckpoint();
  const std::vector<TensorDescription> base = {{"embeddings.word_embeddings.weight", DType::kF32, {1}}};
  WriteInput("model.safetensors", PlanSafetensors(base).header + std::string(4, '\0'));
  ExpectError(absl::StatusCode::kNotFound, "found embeddings.word_embeddings.weight: this is a base model");
}

TEST_F(ConvertTest, RefusesWeightsThatAreNotFinite) {
  WriteCheckpoint();
  std::string file = ReadInput("model.safetensors");
  const float nan = std::numeric_limits<float>::quiet_NaN();
  file.replace(file.size() - 4, 4, reinterpret_cast<const char*>(&nan), 4);  // classifier.bias lies last
  WriteInput("model.safetensors", file);
  ExpectError(absl::StatusCode::kDataLoss, "classifier.bias: element 2 of 3 is a NaN or an infinity");
}

TEST_F(ConvertTest, RefusesWeightsOfOtherTypes) {
  WriteCheckpoint();
  std::string file = ReadInput("model.safetensors");
  const size_t at = file.find("\"F32\"", file.find("\"classifier.bias\""));
  WriteInput("model.safetensors", file.replace(at, 5, "\"I32\""));
  ExpectError(absl::StatusCode::kFailedPrecondition,
              "classifier.bias: expected weights of F32, F16 or BF16, found I32");
}

TEST_F(ConvertTest, NamesTheFileThatIsCut) {
  WriteCheckpoint();
  const std::string file = ReadInput("model.safetensors");
  WriteInput("model.safetensors", file.substr(0, file.size() - 1));
  ExpectError(absl::StatusCode::kDataLoss, "it is truncated or damaged");
}

TEST_F(ConvertTest, KeepsAPackageUnlessToldOtherwise) {
  WriteCheckpoint();
  ASSERT_TRUE(Convert(options_).ok());
  const absl::Status status = Convert(options_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(status.message(), HasSubstr("package: exists already"));
}

}  // namespace
}  // namespace ks
