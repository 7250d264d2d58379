// Tested by manifest_test.cc and fuzz/manifest_fuzz.cc.
#include "package/manifest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/json.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "model/spec_json.h"
#include "package/package.h"

namespace ks {
namespace {

constexpr size_t kMaxNameBytes = 128;
constexpr size_t kMaxFiles = 100;
constexpr size_t kMaxSelfChecks = 1000;
constexpr size_t kMaxFp32Layers = 1000;

bool IsSha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

bool IsFileName(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name != kManifestFile &&
         name.find_first_of(std::string_view("/\0", 2)) == name.npos;
}

absl::StatusOr<std::vector<JsonValue>> RequireArray(const JsonObject& object, std::string_view key, size_t max) {
  KS_ASSIGN_OR_RETURN(const JsonValue value, object.Require(key));
  KS_ASSIGN_OR_RETURN(std::vector<JsonValue> elements, value.AsArray());
  if (elements.size() > max) return value.Problem(Cat("expected at most ", max, " elements, found ", elements.size()));
  return elements;
}

absl::StatusOr<std::string> RequireSha256(const JsonObject& object, std::string_view key) {
  KS_ASSIGN_OR_RETURN(const JsonValue value, object.Require(key));
  KS_ASSIGN_OR_RETURN(const std::string_view text, value.AsString());
  if (!IsSha256(text)) return value.Unexpected("64 hexadecimal digits");
  return std::string(text);
}

absl::Status ReadFormat(const JsonObject& object, std::string_view name, Manifest& manifest) {
  KS_ASSIGN_OR_RETURN(const JsonValue format, object.Require("format"));
  KS_ASSIGN_OR_RETURN(const std::string_view text, format.AsString());
  if (text != kPackageFormat) return format.Unexpected(Cat("\"", kPackageFormat, "\""));
  KS_ASSIGN_OR_RETURN(manifest.format_version, object.RequireInt("format_version", 1, INT32_MAX));
  if (manifest.format_version < kOldestPackageFormatVersion || manifest.format_version > kPackageFormatVersion) {
    return FailedPrecondition(name, ": format_version: expected ", kOldestPackageFormatVersion, " or ",
                              kPackageFormatVersion, ", which this program reads, found ", manifest.format_version,
                              "; convert the checkpoint again, or use the program that wrote it");
  }
  return absl::OkStatus();
}

absl::Status ReadPrecisions(const JsonObject& object, Manifest& manifest) {
  KS_ASSIGN_OR_RETURN(const std::vector<JsonValue> elements, RequireArray(object, "precisions", 2));
  for (const JsonValue& element : elements) {
    KS_ASSIGN_OR_RETURN(const std::string_view text, element.AsString());
    if (text != "fp32" && text != "int8") return element.Unexpected("fp32 or int8");
    if (std::count(manifest.precisions.begin(), manifest.precisions.end(), text) > 0) {
      return element.Problem(Cat("\"", text, "\" is given twice"));
    }
    manifest.precisions.emplace_back(text);
  }
  if (elements.empty()) return object.Find("precisions")->Problem("expected at least one, found none");
  if (manifest.format_version < 2 && manifest.HasPrecision("int8")) {
    return object.Find("precisions")->Problem("int8 came with format_version 2, this one is 1");
  }
  return absl::OkStatus();
}

absl::Status ReadInt8(const JsonObject& object, Manifest& manifest) {
  if (!manifest.HasPrecision("int8")) return absl::OkStatus();
  KS_ASSIGN_OR_RETURN(const JsonValue value, object.Require("int8"));
  KS_ASSIGN_OR_RETURN(const JsonObject int8, value.AsObject());
  KS_ASSIGN_OR_RETURN(manifest.int8.calibrated, int8.OptionalBool("calibrated", false));
  KS_ASSIGN_OR_RETURN(const std::vector<JsonValue> layers, RequireArray(int8, "fp32_layers", kMaxFp32Layers));
  for (const JsonValue& layer : layers) {
    KS_ASSIGN_OR_RETURN(const std::string_view name, layer.AsString());
    manifest.int8.fp32_layers.emplace_back(name);
  }
  return absl::OkStatus();
}

absl::Status ReadFiles(const JsonObject& object, Manifest& manifest) {
  KS_ASSIGN_OR_RETURN(const std::vector<JsonValue> elements, RequireArray(object, "files", kMaxFiles));
  std::set<std::string> names;
  for (const JsonValue& element : elements) {
    KS_ASSIGN_OR_RETURN(const JsonObject entry, element.AsObject());
    PackageFile& file = manifest.files.emplace_back();
    KS_ASSIGN_OR_RETURN(const JsonValue file_name, entry.Require("name"));
    KS_ASSIGN_OR_RETURN(file.name, file_name.AsString());
    if (!IsFileName(file.name)) return file_name.Unexpected("the name of a file in the package");
    if (!names.insert(file.name).second) return file_name.Problem(Cat(file.name, " is given twice"));
    KS_ASSIGN_OR_RETURN(file.size_bytes, entry.RequireInt("size_bytes", 0, INT64_MAX));
    KS_ASSIGN_OR_RETURN(file.sha256, RequireSha256(entry, "sha256"));
    KS_ASSIGN_OR_RETURN(file.optional, entry.OptionalBool("optional", false));
  }
  return absl::OkStatus();
}

// The array `key`, one number for each of `labels`.
absl::Status ReadLogits(const JsonObject& entry, std::string_view key, size_t labels, std::vector<float>& logits) {
  KS_ASSIGN_OR_RETURN(const std::vector<JsonValue> values, RequireArray(entry, key, labels));
  if (values.size() != labels) {
    return entry.Find(key)->Problem(Cat("expected ", labels, " numbers, one for each label, found ", values.size()));
  }
  for (const JsonValue& logit : values) {
    KS_ASSIGN_OR_RETURN(const double value, logit.AsDouble());
    if (std::abs(value) > std::numeric_limits<float>::max()) {
      return logit.Unexpected("a number that a float can hold");
    }
    // Plus 0: -0 becomes 0, which is what it would be read as the next time.
    logits.push_back(static_cast<float>(value) + 0.0f);
  }
  return absl::OkStatus();
}

absl::Status ReadSelfChecks(const JsonObject& object, Manifest& manifest) {
  KS_ASSIGN_OR_RETURN(const std::vector<JsonValue> elements, RequireArray(object, "self_checks", kMaxSelfChecks));
  for (const JsonValue& element : elements) {
    KS_ASSIGN_OR_RETURN(const JsonObject entry, element.AsObject());
    SelfCheck& check = manifest.self_checks.emplace_back();
    KS_ASSIGN_OR_RETURN(check.text, entry.RequireString("text"));
    const size_t labels = manifest.spec.labels.size();
    if (manifest.HasPrecision("fp32")) {
      KS_RETURN_IF_ERROR(ReadLogits(entry, "fp32_logits", labels, check.fp32_logits));
    }
    if (manifest.HasPrecision("int8")) {
      KS_RETURN_IF_ERROR(ReadLogits(entry, "int8_logits", labels, check.int8_logits));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<float> ReadTemperature(const JsonObject& object) {
  KS_ASSIGN_OR_RETURN(const JsonValue value, object.Require("temperature"));
  KS_ASSIGN_OR_RETURN(const double temperature, value.AsDouble());
  if (!(temperature >= kMinTemperature && temperature <= kMaxTemperature)) {
    return value.Unexpected(Cat("a number from ", kMinTemperature, " to ", kMaxTemperature));
  }
  return static_cast<float>(temperature);
}

void WriteLogits(std::string_view key, const std::vector<float>& logits, JsonWriter& json) {
  json.Key(key).BeginArray();
  for (const float logit : logits) json.Float(logit);
  json.EndArray();
}

}  // namespace

bool IsModelName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

bool Manifest::HasPrecision(std::string_view precision) const {
  return std::find(precisions.begin(), precisions.end(), precision) != precisions.end();
}

std::optional<std::string_view> Manifest::GateVerdict() const {
  if (!HasPrecision("fp32") || !HasPrecision("int8")) return std::nullopt;
  return gate_skipped ? "skipped" : "passed";
}

std::string ManifestToJson(const Manifest& manifest) {
  JsonWriter json;
  json.BeginObject().Key("format").String(kPackageFormat).Key("format_version").Int(manifest.format_version);
  json.Key("name").String(manifest.name);
  json.Key("model");
  WriteSpecJson(manifest.spec, json);
  json.Key("temperature").Float(manifest.temperature).Key("window").Int(manifest.window);
  json.Key("precisions").BeginArray();
  for (const std::string& precision : manifest.precisions) json.String(precision);
  json.EndArray();
  if (manifest.HasPrecision("int8")) {
    json.Key("int8").BeginObject().Key("calibrated").Bool(manifest.int8.calibrated).Key("fp32_layers").BeginArray();
    for (const std::string& layer : manifest.int8.fp32_layers) json.String(layer);
    json.EndArray().EndObject();
  }
  if (manifest.gate_skipped) json.Key("gate_skipped").Bool(true);
  json.Key("files").BeginArray();
  for (const PackageFile& file : manifest.files) {
    json.BeginObject().Key("name").String(file.name).Key("size_bytes").Int(file.size_bytes);
    json.Key("sha256").String(file.sha256);
    if (file.optional) json.Key("optional").Bool(true);
    json.EndObject();
  }
  json.EndArray().Key("self_checks").BeginArray();
  for (const SelfCheck& check : manifest.self_checks) {
    json.BeginObject().Key("text").String(check.text);
    if (manifest.HasPrecision("fp32")) WriteLogits("fp32_logits", check.fp32_logits, json);
    if (manifest.HasPrecision("int8")) WriteLogits("int8_logits", check.int8_logits, json);
    json.EndObject();
  }
  json.EndArray().Key("source_sha256").String(manifest.source_sha256).EndObject();
  return IndentJson(json.text()) + "\n";
}

absl::StatusOr<Manifest> ManifestFromJson(std::string_view json, std::string_view name) {
  KS_ASSIGN_OR_RETURN(const JsonDocument document, JsonDocument::Parse(json, std::string(name)));
  KS_ASSIGN_OR_RETURN(const JsonObject object, document.root().AsObject());
  Manifest manifest;
  KS_RETURN_IF_ERROR(ReadFormat(object, name, manifest));
  KS_ASSIGN_OR_RETURN(const JsonValue model_name, object.Require("name"));
  KS_ASSIGN_OR_RETURN(manifest.name, model_name.AsString());
  if (!IsModelName(manifest.name)) return model_name.Unexpected("1 to 128 letters, digits, '.', '_' and '-'");
  KS_ASSIGN_OR_RETURN(const JsonValue model, object.Require("model"));
  KS_ASSIGN_OR_RETURN(const JsonObject spec, model.AsObject());
  KS_ASSIGN_OR_RETURN(manifest.spec, SpecFromJson(spec));
  KS_ASSIGN_OR_RETURN(manifest.temperature, ReadTemperature(object));
  KS_ASSIGN_OR_RETURN(manifest.window, object.RequireInt("window", 1, manifest.spec.encoder.max_positions));
  KS_RETURN_IF_ERROR(ReadPrecisions(object, manifest));
  KS_RETURN_IF_ERROR(ReadInt8(object, manifest));
  KS_ASSIGN_OR_RETURN(manifest.gate_skipped, object.OptionalBool("gate_skipped", false));
  KS_RETURN_IF_ERROR(ReadFiles(object, manifest));
  KS_RETURN_IF_ERROR(ReadSelfChecks(object, manifest));
  KS_ASSIGN_OR_RETURN(manifest.source_sha256, RequireSha256(object, "source_sha256"));
  return manifest;
}

}  // namespace ks
