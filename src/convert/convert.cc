// Tested by convert_test.cc on tiny checkpoints, and end to end on the default model.
#include "convert/convert.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "base/mapped_file.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "checkpoint/checkpoint.h"
#include "convert/calibrate.h"
#include "convert/calibrated_file.h"
#include "convert/int8_file.h"
#include "convert/package_weights.h"
#include "convert/portable_int8_file.h"
#include "convert/quantize.h"
#include "convert/self_check.h"
#include "convert/temperature_file.h"
#include "graph/encoder_graph.h"
#include "model/config.h"
#include "model/dense_layers.h"
#include "package/package.h"
#include "package/writer.h"
#include "text/tokenizer.h"

namespace ks {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxTokenizerBytes = 256 << 20;
// Embeddings are often padded to a multiple of 8, 64 or 128 rows. More rows than that without a token mean that the
// tokenizer is another model's.
constexpr int kMaxPaddedRows = 127;

// Everything that convert reads, checked.
struct Source {
  ClassifierSpec spec;
  std::string tokenizer_json;
  std::optional<Tokenizer> tokenizer;
  Checkpoint checkpoint;
  int window = 0;
  std::string name;
};

absl::StatusOr<std::string> ReadCheckpointFile(const fs::path& directory, std::string_view file, size_t max_bytes,
                                               std::string_view hint) {
  absl::StatusOr<std::string> text = ReadFile(directory / file, max_bytes);
  if (absl::IsNotFound(text.status())) {
    return NotFound(directory.string(), ": no ", file, ", expected the directory of a Hugging Face model", hint);
  }
  return text;
}

absl::Status OverrideLabels(const std::vector<std::string>& labels, ClassifierSpec& spec) {
  if (labels.empty()) return absl::OkStatus();
  KS_RETURN_IF_ERROR(CheckLabels(labels, "labels"));
  if (labels.size() != spec.labels.size()) {
    return InvalidArgument("labels: expected ", spec.labels.size(), ", as many as the model has, found ",
                           labels.size());
  }
  spec.labels = labels;
  return absl::OkStatus();
}

absl::Status CheckVocabulary(const Tokenizer& tokenizer, const EncoderSpec& encoder, const fs::path& tokenizer_path) {
  const int tokens = tokenizer.vocab_size();
  if (tokens <= encoder.vocab_size && encoder.vocab_size - tokens <= kMaxPaddedRows) return absl::OkStatus();
  return InvalidArgument(tokenizer_path.string(), ": expected a vocabulary of ", encoder.vocab_size,
                         " tokens, the vocab_size of ", kConfigFile, " (or up to ", kMaxPaddedRows, " fewer), found ",
                         tokens, ": is it another model's?");
}

absl::StatusOr<int> Window(int max_length, const Tokenizer& tokenizer, int max_positions) {
  if (max_length == 0) return max_positions;
  const int least = tokenizer.special_tokens_added(/*pair=*/false) + 1;
  if (max_length >= least && max_length <= max_positions) return max_length;
  return InvalidArgument("max_length: expected ", least, " to ", max_positions, " (the model's positions), found ",
                         max_length);
}

absl::StatusOr<std::string> ModelName(const ConvertOptions& options) {
  std::string name = options.name;
  if (name.empty()) {
    std::error_code error;
    const fs::path real = fs::canonical(options.checkpoint_dir, error);
    if (error) return ErrnoStatus(error.value(), options.checkpoint_dir.string());
    name = real.filename().string();
    std::replace_if(name.begin(), name.end(), [](char c) { return !IsModelName(std::string_view(&c, 1)); }, '-');
  }
  if (IsModelName(name)) return name;
  return InvalidArgument("name: expected 1 to 128 letters, digits, '.', '_' and '-', found ", name.size(), " bytes");
}

absl::StatusOr<Source> ReadSource(const ConvertOptions& options) {
  const fs::path& directory = options.checkpoint_dir;
  std::error_code error;
  if (!fs::exists(directory, error)) return NotFound(directory.string(), ": no such directory");
  Source source;
  KS_ASSIGN_OR_RETURN(source.name, ModelName(options));
  KS_ASSIGN_OR_RETURN(const std::string config, ReadCheckpointFile(directory, kConfigFile, kMaxConfigBytes, ""));
  KS_ASSIGN_OR_RETURN(source.spec, ParseConfig(config, (directory / kConfigFile).string()));
  KS_RETURN_IF_ERROR(OverrideLabels(options.labels, source.spec));

  const fs::path tokenizer_path = directory / kTokenizerJsonFile;
  KS_ASSIGN_OR_RETURN(
      source.tokenizer_json,
      ReadCheckpointFile(directory, kTokenizerJsonFile, kMaxTokenizerBytes,
                         " with a fast tokenizer (AutoTokenizer.from_pretrained(..).save_pretrained(..))"));
  KS_ASSIGN_OR_RETURN(source.tokenizer, Tokenizer::FromJson(source.tokenizer_json, tokenizer_path.string()));
  KS_RETURN_IF_ERROR(CheckVocabulary(*source.tokenizer, source.spec.encoder, tokenizer_path));
  KS_ASSIGN_OR_RETURN(source.window, Window(options.max_length, *source.tokenizer, source.spec.encoder.max_positions));
  KS_ASSIGN_OR_RETURN(source.checkpoint, Checkpoint::Open(directory));
  return source;
}

// Of names and contents, not of where they lie.
struct SourceHashes {
  std::string all;      // config, tokenizer and weights
  std::string weights;  // what calibrated weights belong to
};

absl::StatusOr<SourceHashes> HashSource(const fs::path& directory, const std::vector<std::string>& weight_files) {
  const auto list = [&directory](const std::vector<std::string>& files) -> absl::StatusOr<std::string> {
    std::string lines;
    for (const std::string& file : files) {
      KS_ASSIGN_OR_RETURN(const std::string hash, Sha256HexOfFile(directory / file));
      lines += Cat(hash, "  ", file, "\n");
    }
    return lines;
  };
  KS_ASSIGN_OR_RETURN(const std::string weights, list(weight_files));
  KS_ASSIGN_OR_RETURN(std::string all, list({kConfigFile, kTokenizerJsonFile}));
  all += weights;
  return SourceHashes{.all = Sha256Hex(std::as_bytes(std::span(all))),
                      .weights = Sha256Hex(std::as_bytes(std::span(weights)))};
}

bool Wants(const ConvertOptions& options, std::string_view precision) {
  return std::find(options.precisions.begin(), options.precisions.end(), precision) != options.precisions.end();
}

absl::Status CheckPrecisions(const ConvertOptions& options) {
  for (const std::string& precision : options.precisions) {
    if (precision != "fp32" && precision != "int8") {
      return InvalidArgument("precision: expected fp32, int8 or both, found ", precision);
    }
    if (std::count(options.precisions.begin(), options.precisions.end(), precision) > 1) {
      return InvalidArgument("precision: ", precision, " is given twice");
    }
  }
  if (options.precisions.empty()) return InvalidArgument("precision: expected fp32, int8 or both, found none");
  if (!Wants(options, "int8") && !options.fp32_layers.empty()) {
    return InvalidArgument("keep-fp32: expected int8 among the precisions, found fp32 alone");
  }
  if (!Wants(options, "int8") && !options.calibration_texts.empty()) {
    return InvalidArgument("calibration: expected int8 among the precisions, found fp32 alone");
  }
  if (!Wants(options, "int8") && options.portable_int8) {
    return InvalidArgument("portable: expected int8 among the precisions, found fp32 alone");
  }
  if (!options.save_calibrated.empty() && options.calibration_texts.empty()) {
    return InvalidArgument("save-calibrated: expected texts to calibrate on, found none");
  }
  return absl::OkStatus();
}

// Whatever can be wrong with the options alone.
absl::Status CheckTemperatureOptions(const ConvertOptions& options) {
  if (options.temperature) return CheckTemperature(*options.temperature);
  if (options.save_temperature.empty()) return absl::OkStatus();
  return InvalidArgument("save-temperature: expected a temperature to keep, found none");
}

// As given, as kept beside the checkpoint, or 1.
absl::StatusOr<float> Temperature(const ConvertOptions& options, const std::string& weights_sha256) {
  if (options.temperature) {
    if (!options.save_temperature.empty()) {
      KS_RETURN_IF_ERROR(SaveTemperature(options.save_temperature, *options.temperature, weights_sha256));
    }
    return *options.temperature;
  }
  const fs::path kept = options.checkpoint_dir / kTemperatureFile;
  std::error_code error;
  if (fs::exists(kept, error)) return LoadTemperature(kept, weights_sha256);
  return 1.0f;
}

// `optional` where the package serves int8 without it.
absl::Status WriteFp32(const Source& source, const PackageWeights& weights, bool optional, PackageWriter& writer) {
  KS_RETURN_IF_ERROR(writer.AddFile(kWeightsFile, [&](const ByteSink& sink) { return weights.Write(sink); }, optional));
  const TensorPlacement placement = weights.Placement(kWeightsFile);
  KS_ASSIGN_OR_RETURN(const std::string serving, EmitServingGraph(source.spec, placement));
  KS_RETURN_IF_ERROR(writer.AddFile(kFp32GraphFile, std::as_bytes(std::span(serving)), optional));
  KS_ASSIGN_OR_RETURN(const std::string portable, EmitPortableGraph(source.spec, placement));
  return writer.AddFile(kPortableGraphFile, std::as_bytes(std::span(portable)), /*optional=*/true);
}

// `int8` is where the tensors of int8.bin lie.
absl::Status WritePortableInt8(const Source& source, const QuantizedLayers& layers, const TensorPlacement& int8,
                               PackageWriter& writer) {
  const PortableInt8File file = PortableInt8File::Plan(source.spec, layers);
  KS_RETURN_IF_ERROR(writer.AddFile(
      kPortableInt8WeightsFile, [&](const ByteSink& sink) { return file.Write(sink); }, /*optional=*/true));
  const TensorPlacement placement = file.Placement(kPortableInt8WeightsFile, int8);
  KS_ASSIGN_OR_RETURN(const std::string graph, EmitPortableInt8Graph(source.spec, placement));
  return writer.AddFile(kPortableInt8GraphFile, std::as_bytes(std::span(graph)), /*optional=*/true);
}

absl::Status WriteInt8(const Source& source, const PackageWeights& weights, const QuantizedLayers& layers,
                       bool portable, PackageWriter& writer) {
  const Int8File file = Int8File::Plan(source.spec, weights, layers);
  KS_RETURN_IF_ERROR(writer.AddFile(kInt8WeightsFile, [&](const ByteSink& sink) { return file.Write(sink); }));
  const TensorPlacement placement = file.Placement(kInt8WeightsFile);
  KS_ASSIGN_OR_RETURN(const std::string graph, EmitInt8Graph(source.spec, placement));
  KS_RETURN_IF_ERROR(writer.AddFile(kInt8GraphFile, std::as_bytes(std::span(graph))));
  return portable ? WritePortableInt8(source, layers, placement, writer) : absl::OkStatus();
}

struct Int8Layers {
  QuantizedLayers layers;
  size_t texts = 0;  // the first of the calibration texts, which the layers were fitted to
};

// By texts, by what an earlier calibration left, or without data.
absl::StatusOr<Int8Layers> Quantize(const ConvertOptions& options, const Source& source, const PackageWeights& weights,
                                    const std::string& weights_sha256) {
  const fs::path calibrated = options.checkpoint_dir / kCalibratedFile;
  std::error_code error;
  if (options.calibration_texts.empty() && fs::exists(calibrated, error)) {
    KS_ASSIGN_OR_RETURN(QuantizedLayers layers, LoadCalibrated(calibrated, source.spec, weights_sha256));
    KS_RETURN_IF_ERROR(KeepFp32(DenseLayers(source.spec), options.fp32_layers, layers));
    return Int8Layers{.layers = std::move(layers)};
  }
  if (options.calibration_texts.empty()) {
    KS_ASSIGN_OR_RETURN(QuantizedLayers layers, RoundLayers(source.spec, weights, options.fp32_layers));
    return Int8Layers{.layers = std::move(layers)};
  }
  KS_ASSIGN_OR_RETURN(const PackedTexts texts,
                      PackTexts(*source.tokenizer, options.calibration_texts, source.window, kMaxCalibrationTokens));
  const CalibrationOptions calibration = {.fp32_layers = options.fp32_layers, .progress = options.progress};
  KS_ASSIGN_OR_RETURN(QuantizedLayers layers, CalibrateLayers(source.spec, weights, texts, calibration));
  if (!options.save_calibrated.empty()) {
    KS_RETURN_IF_ERROR(SaveCalibrated(options.save_calibrated, source.spec, layers, weights_sha256));
  }
  return Int8Layers{.layers = std::move(layers), .texts = static_cast<size_t>(texts.sequences())};
}

Int8Description Describe(const ClassifierSpec& spec, const QuantizedLayers& layers) {
  Int8Description description = {.calibrated = layers.calibrated, .fp32_layers = {}};
  const std::vector<DenseLayer> names = DenseLayers(spec);
  for (size_t i = 0; i < names.size(); ++i) {
    if (!layers.dense[i]) description.fp32_layers.push_back(names[i].name);
  }
  return description;
}

}  // namespace

absl::StatusOr<ConvertReport> Convert(const ConvertOptions& options) {
  const auto progress = [&](std::string_view step) {
    if (options.progress) options.progress(step);
  };
  progress("reading");
  KS_RETURN_IF_ERROR(CheckPrecisions(options));
  KS_RETURN_IF_ERROR(CheckTemperatureOptions(options));
  const bool fp32 = Wants(options, "fp32");
  const bool int8 = Wants(options, "int8");
  KS_ASSIGN_OR_RETURN(const Source source, ReadSource(options));
  KS_ASSIGN_OR_RETURN(const PackageWeights weights, PackageWeights::Plan(source.checkpoint, source.spec));
  KS_ASSIGN_OR_RETURN(const SourceHashes hashes, HashSource(options.checkpoint_dir, source.checkpoint.files()));
  Manifest manifest;
  manifest.source_sha256 = hashes.all;
  KS_ASSIGN_OR_RETURN(manifest.temperature, Temperature(options, hashes.weights));
  Int8Layers quantized;
  if (int8) {
    progress("quantisation");
    KS_ASSIGN_OR_RETURN(quantized, Quantize(options, source, weights, hashes.weights));
    manifest.int8 = Describe(source.spec, quantized.layers);
  }
  KS_ASSIGN_OR_RETURN(PackageWriter writer, PackageWriter::Create(options.output_dir, {.replace = options.overwrite}));

  progress("tokenizer");
  KS_RETURN_IF_ERROR(writer.AddFile(kTokenizerJsonFile, std::as_bytes(std::span(source.tokenizer_json))));
  const std::string compiled = source.tokenizer->Compile();
  KS_RETURN_IF_ERROR(writer.AddFile(kTokenizerBinFile, std::as_bytes(std::span(compiled))));

  if (fp32) {
    progress("fp32");
    KS_RETURN_IF_ERROR(WriteFp32(source, weights, /*optional=*/int8, writer));
  }
  if (int8) {
    progress("int8");
    KS_RETURN_IF_ERROR(WriteInt8(source, weights, quantized.layers, options.portable_int8, writer));
  }

  progress("self-check");
  manifest.name = source.name;
  manifest.spec = source.spec;
  manifest.window = source.window;
  manifest.precisions = options.precisions;
  manifest.gate_skipped = int8 && fp32 && !options.gate;
  KS_ASSIGN_OR_RETURN(manifest.self_checks, MakeSelfChecks(manifest, *source.tokenizer, writer.directory()));
  KS_RETURN_IF_ERROR(writer.Finish(manifest));
  if (options.gate) {
    progress("gate");
    const std::span<const std::string> texts = options.calibration_texts;
    KS_RETURN_IF_ERROR(options.gate(writer.directory(), texts.first(quantized.texts)));
  }
  KS_RETURN_IF_ERROR(writer.Publish());

  ConvertReport report;
  KS_ASSIGN_OR_RETURN(const std::shared_ptr<const Package> package, Package::Open(options.output_dir));
  report.directory = package->directory();
  report.manifest = package->manifest();
  for (const PackageFile& file : report.manifest.files) report.bytes += file.size_bytes;
  return report;
}

}  // namespace ks
