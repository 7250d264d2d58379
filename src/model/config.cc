// One table of key names for each architecture, one reader for all. Tested by config_test.cc and
// fuzz/config_json_fuzz.cc.
#include "model/config.h"

#include <algorithm>
#include <array>
#include <set>
#include <span>

#include "base/json.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "model/limits.h"

namespace ks {
namespace {

struct ConfigKeys {
  Architecture architecture;
  const char* head;  // the class name in `architectures`
  const char* hidden_size;
  const char* intermediate_size;
  const char* layers;
  const char* heads;
  const char* activation;
  bool token_types;
  Pooling pooling;
};

constexpr std::array kArchitectures = {
    ConfigKeys{Architecture::kBert, "BertForSequenceClassification", "hidden_size", "intermediate_size",
               "num_hidden_layers", "num_attention_heads", "hidden_act", true, Pooling::kTanh},
    ConfigKeys{Architecture::kDistilBert, "DistilBertForSequenceClassification", "dim", "hidden_dim", "n_layers",
               "n_heads", "activation", false, Pooling::kRelu},
};

// An unsupported word of the configuration, quoted: unlike a user's text it is safe to show, and it is what helps.
absl::Status UnsupportedWord(const JsonValue& value, std::string_view expected, std::string_view found) {
  return WithCode(value.Problem(Cat("expected ", expected, ", found \"", found.substr(0, kMaxLabelBytes), "\"")),
                  absl::StatusCode::kFailedPrecondition);
}

absl::StatusOr<ConfigKeys> KeysOf(const JsonObject& config) {
  KS_ASSIGN_OR_RETURN(const JsonValue value, config.Require("model_type"));
  KS_ASSIGN_OR_RETURN(const std::string_view type, value.AsString());
  std::string supported;
  for (const ConfigKeys& keys : kArchitectures) {
    if (type == ArchitectureName(keys.architecture)) return keys;
    supported += Cat(supported.empty() ? "" : " or ", ArchitectureName(keys.architecture));
  }
  return UnsupportedWord(value, Cat("a supported model type (", supported, ")"), type);
}

// `architectures` says which head the weights carry: one for classification, or there is no classifier to find.
absl::Status CheckHead(const JsonObject& config, const ConfigKeys& keys) {
  const JsonValue* value = config.FindNonNull("architectures");
  if (value == nullptr) return absl::OkStatus();
  KS_ASSIGN_OR_RETURN(const std::vector<JsonValue> names, value->AsArray());
  std::string_view first;
  for (const JsonValue& name : names) {
    KS_ASSIGN_OR_RETURN(const std::string_view text, name.AsString());
    if (text == keys.head) return absl::OkStatus();
    if (first.empty()) first = text;
  }
  return names.empty() ? absl::OkStatus() : UnsupportedWord(*value, keys.head, first);
}

// Fails unless `key` is absent or one of `words`.
absl::Status CheckWord(const JsonObject& config, std::string_view key, std::span<const std::string_view> words) {
  const JsonValue* value = config.FindNonNull(key);
  if (value == nullptr) return absl::OkStatus();
  KS_ASSIGN_OR_RETURN(const std::string_view word, value->AsString());
  if (std::find(words.begin(), words.end(), word) != words.end()) return absl::OkStatus();
  return UnsupportedWord(*value, Cat("\"", words[0], "\""), word);
}

// What would change the computation in ways that this program does not follow.
absl::Status CheckSupported(const JsonObject& config, const ConfigKeys& keys) {
  constexpr std::string_view kGelu[] = {"gelu", "gelu_python"};  // both the exact one, by erf
  constexpr std::string_view kAbsolute[] = {"absolute"};
  KS_RETURN_IF_ERROR(CheckHead(config, keys));
  KS_RETURN_IF_ERROR(CheckWord(config, keys.activation, kGelu));
  KS_RETURN_IF_ERROR(CheckWord(config, "position_embedding_type", kAbsolute));
  for (const char* key : {"is_decoder", "add_cross_attention"}) {
    KS_ASSIGN_OR_RETURN(const bool decoder, config.OptionalBool(key, false));
    if (decoder)
      return WithCode(config.Find(key)->Problem("expected an encoder (false), found true"),
                      absl::StatusCode::kFailedPrecondition);
  }
  if (const JsonValue* value = config.FindNonNull("quantization_config")) {
    return WithCode(value->Problem("expected a model of F32, F16 or BF16 weights, found a quantised one"),
                    absl::StatusCode::kFailedPrecondition);
  }
  return absl::OkStatus();
}

absl::StatusOr<EncoderSpec> ParseEncoder(const JsonObject& config, const ConfigKeys& keys) {
  EncoderSpec encoder;
  encoder.architecture = keys.architecture;
  encoder.pooling = keys.pooling;
  KS_ASSIGN_OR_RETURN(encoder.vocab_size, config.RequireInt("vocab_size", 1, kMaxVocabSize));
  KS_ASSIGN_OR_RETURN(encoder.hidden_size, config.RequireInt(keys.hidden_size, 1, kMaxHiddenSize));
  KS_ASSIGN_OR_RETURN(encoder.intermediate_size, config.RequireInt(keys.intermediate_size, 1, kMaxIntermediateSize));
  KS_ASSIGN_OR_RETURN(encoder.layers, config.RequireInt(keys.layers, 1, kMaxLayers));
  KS_ASSIGN_OR_RETURN(encoder.heads, config.RequireInt(keys.heads, 1, encoder.hidden_size));
  if (encoder.hidden_size % encoder.heads != 0) {
    return config.Find(keys.heads)
        ->Problem(
            Cat("expected a divisor of ", keys.hidden_size, " (", encoder.hidden_size, "), found ", encoder.heads));
  }
  KS_ASSIGN_OR_RETURN(encoder.max_positions, config.RequireInt("max_position_embeddings", 1, kMaxPositions));
  KS_ASSIGN_OR_RETURN(encoder.pad_id, config.OptionalInt("pad_token_id", 0, encoder.vocab_size - 1, 0));
  if (keys.token_types) {
    KS_ASSIGN_OR_RETURN(encoder.type_vocab_size, config.OptionalInt("type_vocab_size", 1, kMaxTypeVocabSize, 2));
    KS_ASSIGN_OR_RETURN(const double epsilon, config.OptionalDouble("layer_norm_eps", 1e-12));
    if (!(epsilon >= 1e-30 && epsilon <= 1))
      return config.Find("layer_norm_eps")->Unexpected("a number from 1e-30 to 1");
    encoder.layer_norm_eps = static_cast<float>(epsilon);
  }
  return encoder;
}

absl::StatusOr<std::vector<std::string>> ParseId2Label(const JsonValue& value) {
  KS_ASSIGN_OR_RETURN(const JsonObject object, value.AsObject());
  const size_t count = object.members().size();
  if (count < 1 || count > static_cast<size_t>(kMaxLabels)) {
    return value.Problem(Cat("expected 1 to ", kMaxLabels, " labels, found ", count));
  }
  std::vector<std::string> labels;
  for (size_t i = 0; i < count; ++i) {
    // Keys "0" to "n-1" in any order: a gap shows as one of them missing.
    KS_ASSIGN_OR_RETURN(const std::string_view label, object.RequireString(Cat(i)));
    labels.emplace_back(label);
  }
  return labels;
}

absl::StatusOr<std::vector<std::string>> ParseLabels(const JsonObject& config, std::string_view name) {
  const JsonValue* id2label = config.FindNonNull("id2label");
  const JsonValue* num_labels = config.FindNonNull("num_labels");
  int64_t count = 2;  // Hugging Face leaves both out for two unnamed labels
  if (num_labels != nullptr) {
    KS_ASSIGN_OR_RETURN(count, num_labels->AsInt(1, kMaxLabels));
  }
  std::vector<std::string> labels;
  if (id2label == nullptr) {
    for (int64_t i = 0; i < count; ++i) labels.push_back(Cat("LABEL_", i));
    return labels;
  }
  KS_ASSIGN_OR_RETURN(labels, ParseId2Label(*id2label));
  if (num_labels != nullptr && static_cast<size_t>(count) != labels.size()) {
    return num_labels->Problem(Cat("expected ", labels.size(), ", as many as id2label has, found ", count));
  }
  KS_RETURN_IF_ERROR(CheckLabels(labels, Cat(name, ": id2label")));
  return labels;
}

absl::StatusOr<Activation> ParseActivation(const JsonObject& config, int labels) {
  const JsonValue* value = config.FindNonNull("problem_type");
  std::string_view type;
  if (value != nullptr) {
    KS_ASSIGN_OR_RETURN(type, value->AsString());
  }
  if (type == "regression") return Activation::kNone;
  if (type == "multi_label_classification") return Activation::kSigmoid;
  if (value != nullptr && type != "single_label_classification") {
    return value->Unexpected("regression, single_label_classification or multi_label_classification");
  }
  return labels == 1 ? Activation::kSigmoid : Activation::kSoftmax;
}

}  // namespace

absl::StatusOr<ClassifierSpec> ParseConfig(std::string_view json, std::string_view name) {
  KS_ASSIGN_OR_RETURN(const JsonDocument document, JsonDocument::Parse(json, std::string(name)));
  KS_ASSIGN_OR_RETURN(const JsonObject config, document.root().AsObject());
  KS_ASSIGN_OR_RETURN(const ConfigKeys keys, KeysOf(config));
  KS_RETURN_IF_ERROR(CheckSupported(config, keys));
  ClassifierSpec spec;
  KS_ASSIGN_OR_RETURN(spec.encoder, ParseEncoder(config, keys));
  KS_ASSIGN_OR_RETURN(spec.labels, ParseLabels(config, name));
  KS_ASSIGN_OR_RETURN(spec.activation, ParseActivation(config, spec.num_labels()));
  return spec;
}

absl::Status CheckLabels(const std::vector<std::string>& labels, std::string_view what) {
  if (labels.empty()) return InvalidArgument(what, ": expected at least one label, found none");
  std::set<std::string_view> seen;
  for (size_t i = 0; i < labels.size(); ++i) {
    const std::string& label = labels[i];
    if (label.empty() || label.size() > static_cast<size_t>(kMaxLabelBytes) || FindInvalidUtf8(label)) {
      return InvalidArgument(what, ": label ", i, ": expected 1 to ", kMaxLabelBytes, " bytes of UTF-8, found ",
                             label.size(), " bytes");
    }
    if (std::any_of(label.begin(), label.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; })) {
      return InvalidArgument(what, ": label ", i, ": holds a control character");
    }
    if (!seen.insert(label).second) return InvalidArgument(what, ": label ", i, ": \"", label, "\" is given twice");
  }
  return absl::OkStatus();
}

}  // namespace ks
