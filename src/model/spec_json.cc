#include "model/spec_json.h"

#include <array>

#include "base/status_macros.h"
#include "model/config.h"
#include "model/limits.h"

namespace ks {
namespace {

std::string_view PoolingName(Pooling pooling) { return pooling == Pooling::kTanh ? "tanh" : "relu"; }

// Reads one of the enum's `values` by the name that `name_of` gives it.
template <typename Enum, size_t N>
absl::StatusOr<Enum> RequireEnum(const JsonObject& object, std::string_view key, const std::array<Enum, N>& values,
                                 std::string_view (*name_of)(Enum)) {
  KS_ASSIGN_OR_RETURN(const JsonValue value, object.Require(key));
  KS_ASSIGN_OR_RETURN(const std::string_view text, value.AsString());
  std::string expected;
  for (const Enum candidate : values) {
    if (name_of(candidate) == text) return candidate;
    expected += Cat(expected.empty() ? "" : " or ", name_of(candidate));
  }
  return value.Unexpected(expected);
}

}  // namespace

void WriteSpecJson(const ClassifierSpec& spec, JsonWriter& json) {
  const EncoderSpec& encoder = spec.encoder;
  json.BeginObject().Key("architecture").String(ArchitectureName(encoder.architecture));
  json.Key("vocab_size").Int(encoder.vocab_size).Key("hidden_size").Int(encoder.hidden_size);
  json.Key("intermediate_size").Int(encoder.intermediate_size).Key("layers").Int(encoder.layers);
  json.Key("heads").Int(encoder.heads).Key("max_positions").Int(encoder.max_positions);
  json.Key("type_vocab_size").Int(encoder.type_vocab_size).Key("layer_norm_eps").Float(encoder.layer_norm_eps);
  json.Key("pad_id").Int(encoder.pad_id).Key("pooling").String(PoolingName(encoder.pooling));
  json.Key("labels").BeginArray();
  for (const std::string& label : spec.labels) json.String(label);
  json.EndArray().Key("activation").String(ActivationName(spec.activation)).EndObject();
}

absl::StatusOr<ClassifierSpec> SpecFromJson(const JsonObject& object) {
  ClassifierSpec spec;
  EncoderSpec& encoder = spec.encoder;
  KS_ASSIGN_OR_RETURN(encoder.architecture,
                      RequireEnum(object, "architecture", std::array{Architecture::kBert, Architecture::kDistilBert},
                                  &ArchitectureName));
  KS_ASSIGN_OR_RETURN(encoder.vocab_size, object.RequireInt("vocab_size", 1, kMaxVocabSize));
  KS_ASSIGN_OR_RETURN(encoder.hidden_size, object.RequireInt("hidden_size", 1, kMaxHiddenSize));
  KS_ASSIGN_OR_RETURN(encoder.intermediate_size, object.RequireInt("intermediate_size", 1, kMaxIntermediateSize));
  KS_ASSIGN_OR_RETURN(encoder.layers, object.RequireInt("layers", 1, kMaxLayers));
  KS_ASSIGN_OR_RETURN(encoder.heads, object.RequireInt("heads", 1, encoder.hidden_size));
  if (encoder.hidden_size % encoder.heads != 0) {
    return object.Find("heads")->Problem(
        Cat("expected a divisor of hidden_size (", encoder.hidden_size, "), found ", encoder.heads));
  }
  KS_ASSIGN_OR_RETURN(encoder.max_positions, object.RequireInt("max_positions", 1, kMaxPositions));
  KS_ASSIGN_OR_RETURN(encoder.type_vocab_size, object.RequireInt("type_vocab_size", 0, kMaxTypeVocabSize));
  KS_ASSIGN_OR_RETURN(const JsonValue epsilon_value, object.Require("layer_norm_eps"));
  KS_ASSIGN_OR_RETURN(const double epsilon, epsilon_value.AsDouble());
  if (!(epsilon >= 1e-30 && epsilon <= 1)) return epsilon_value.Unexpected("a number from 1e-30 to 1");
  encoder.layer_norm_eps = static_cast<float>(epsilon);
  KS_ASSIGN_OR_RETURN(encoder.pad_id, object.RequireInt("pad_id", 0, encoder.vocab_size - 1));
  KS_ASSIGN_OR_RETURN(encoder.pooling,
                      RequireEnum(object, "pooling", std::array{Pooling::kTanh, Pooling::kRelu}, &PoolingName));

  KS_ASSIGN_OR_RETURN(const JsonValue labels_value, object.Require("labels"));
  KS_ASSIGN_OR_RETURN(const std::vector<JsonValue> labels, labels_value.AsArray());
  if (labels.size() > static_cast<size_t>(kMaxLabels)) {
    return labels_value.Problem(Cat("expected at most ", kMaxLabels, " labels, found ", labels.size()));
  }
  for (const JsonValue& label : labels) {
    KS_ASSIGN_OR_RETURN(const std::string_view text, label.AsString());
    spec.labels.emplace_back(text);
  }
  KS_RETURN_IF_ERROR(CheckLabels(spec.labels, labels_value.path()));
  KS_ASSIGN_OR_RETURN(
      spec.activation,
      RequireEnum(object, "activation", std::array{Activation::kSoftmax, Activation::kSigmoid, Activation::kNone},
                  &ActivationName));
  return spec;
}

}  // namespace ks
