// Tested by temperature_file_test.cc.
#include "convert/temperature_file.h"

#include "base/json.h"
#include "base/json_writer.h"
#include "base/mapped_file.h"
#include "base/replace_file.h"
#include "base/status.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "package/manifest.h"

namespace ks {
namespace {

constexpr size_t kMaxBytes = 64 << 10;
constexpr std::string_view kTemperatureKey = "temperature";
constexpr std::string_view kHashKey = "weights_sha256";

struct Kept {
  float temperature = 1;
  std::string weights_sha256;
};

bool IsTemperature(double value) { return value >= kMinTemperature && value <= kMaxTemperature; }

std::string RangeText() { return Cat("a number from ", kMinTemperature, " to ", kMaxTemperature); }

absl::StatusOr<Kept> Parse(std::string_view text, const std::string& name) {
  KS_ASSIGN_OR_RETURN(const JsonDocument document, JsonDocument::Parse(text, name));
  KS_ASSIGN_OR_RETURN(const JsonObject object, document.root().AsObject());
  KS_ASSIGN_OR_RETURN(const JsonValue value, object.Require(kTemperatureKey));
  KS_ASSIGN_OR_RETURN(const double temperature, value.AsDouble());
  if (!IsTemperature(temperature)) return value.Unexpected(RangeText());
  Kept kept;
  kept.temperature = static_cast<float>(temperature);
  KS_ASSIGN_OR_RETURN(kept.weights_sha256, object.RequireString(kHashKey));
  return kept;
}

}  // namespace

absl::Status CheckTemperature(float temperature) {
  if (IsTemperature(temperature)) return absl::OkStatus();
  return InvalidArgument("temperature: expected ", RangeText(), ", found ", temperature);
}

absl::Status SaveTemperature(const std::filesystem::path& path, float temperature, const std::string& weights_sha256) {
  JsonWriter json;
  json.BeginObject().Key(kTemperatureKey).Float(temperature).Key(kHashKey).String(weights_sha256).EndObject();
  return ReplaceFile(path, IndentJson(json.text()) + "\n");
}

absl::StatusOr<float> LoadTemperature(const std::filesystem::path& path, const std::string& weights_sha256) {
  KS_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxBytes));
  const absl::StatusOr<Kept> kept = Parse(text, path.string());
  if (!kept.ok()) return WithCode(kept.status(), absl::StatusCode::kDataLoss);
  if (kept->weights_sha256 != weights_sha256) {
    return FailedPrecondition(path.string(), ": fitted for weights of sha256 ", kept->weights_sha256,
                              ", the checkpoint's are ", weights_sha256,
                              ": fit it anew, remove the file, or say --temperature");
  }
  return kept->temperature;
}

}  // namespace ks
