// Tested by calibrate_test.cc.
#include "convert/calibrate.h"

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "base/status.h"
#include "base/status_macros.h"
#include "convert/encoder.h"
#include "convert/gptq.h"
#include "convert/migrate.h"
#include "convert/packed_dense.h"

namespace ks {

absl::StatusOr<PackedTexts> PackTexts(const Tokenizer& tokenizer, std::span<const std::string> texts, int window,
                                      int max_tokens) {
  PackedTexts packed;
  Encoding encoding;
  for (const std::string& text : texts) {
    KS_RETURN_IF_ERROR(tokenizer.Encode(text, {.max_tokens = window}, encoding));
    if (packed.ids.size() + encoding.ids.size() > static_cast<size_t>(max_tokens)) break;
    packed.ids.insert(packed.ids.end(), encoding.ids.begin(), encoding.ids.end());
    packed.type_ids.resize(packed.ids.size());
    packed.offsets.push_back(static_cast<int32_t>(packed.ids.size()));
  }
  return packed;
}

absl::StatusOr<QuantizedLayers> CalibrateLayers(const ClassifierSpec& spec, const PackageWeights& weights,
                                                const PackedTexts& texts, const CalibrationOptions& options) {
  const std::vector<DenseLayer> layers = DenseLayers(spec);
  KS_RETURN_IF_ERROR(CheckLayerNames(layers, options.fp32_layers));
  if (texts.sequences() == 0) return InvalidArgument("calibration: expected at least one text, found none");

  std::map<std::string, std::vector<float>, std::less<>> floats;
  for (const TensorSpec& tensor : ExpectedTensors(spec)) {
    KS_ASSIGN_OR_RETURN(floats[tensor.name], weights.Read(tensor.name));
  }
  KS_ASSIGN_OR_RETURN(EncoderWeights encoder, Fp32EncoderWeights(spec, [&floats](std::string_view name) {
                        const auto found = floats.find(name);
                        return found == floats.end() ? std::span<const float>() : std::span(found->second);
                      }));

  QuantizedLayers quantized = {.dense = std::vector<std::optional<QuantizedDense>>(layers.size()), .calibrated = true};
  std::deque<PackedDense> packed;  // what `encoder` looks at
  const DenseHook quantise = [&](int index, std::span<const float> x, int rows, DenseWeights& dense) -> absl::Status {
    const DenseLayer& layer = layers[index];
    if (options.progress) options.progress(layer.name);
    const std::vector<std::string>& kept = options.fp32_layers;
    if (std::find(kept.begin(), kept.end(), layer.name) != kept.end()) return absl::OkStatus();
    Gram gram(layer.inputs);
    gram.Add(x, rows);
    KS_ASSIGN_OR_RETURN(FloatDense original, ReadDense(weights, layer));
    const std::vector<float> multipliers = FindMultipliers(original, x, rows);
    Migrate(multipliers, original);
    gram.Multiply(multipliers);
    KS_ASSIGN_OR_RETURN(quantized.dense[index], GptqDense(original, gram));
    dense.form = packed.emplace_back(*quantized.dense[index]).view();
    return absl::OkStatus();
  };
  const PackedBatch batch = {.input_ids = texts.ids, .offsets = texts.offsets, .token_type_ids = texts.type_ids};
  KS_RETURN_IF_ERROR(RunEncoder(spec, encoder, batch, BestKernels(), quantise).status());
  return quantized;
}

}  // namespace ks
