#include "backend/onnx/testing/golden_logits.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/json.h"
#include "base/mapped_file.h"
#include "base/status_macros.h"

namespace ks {
namespace {

absl::StatusOr<GoldenCase> ReadCase(const JsonValue& value) {
  GoldenCase golden;
  KS_ASSIGN_OR_RETURN(const JsonObject object, value.AsObject());
  KS_ASSIGN_OR_RETURN(const JsonValue ids, object.Require("ids"));
  KS_ASSIGN_OR_RETURN(const std::vector<JsonValue> id_values, ids.AsArray());
  for (const JsonValue& id : id_values) {
    KS_ASSIGN_OR_RETURN(const int64_t number, id.AsInt(0, INT32_MAX));
    golden.ids.push_back(static_cast<int32_t>(number));
  }
  KS_ASSIGN_OR_RETURN(const int64_t first_segment, object.RequireInt("first_segment", 0, INT32_MAX));
  golden.first_segment = static_cast<int>(first_segment);
  KS_ASSIGN_OR_RETURN(const JsonValue logits, object.Require("logits"));
  KS_ASSIGN_OR_RETURN(const std::vector<JsonValue> logit_values, logits.AsArray());
  for (const JsonValue& logit : logit_values) {
    KS_ASSIGN_OR_RETURN(const double number, logit.AsDouble());
    golden.logits.push_back(number);
  }
  return golden;
}

}  // namespace

double GoldenCase::largest() const {
  double largest = 0;
  for (const double logit : logits) largest = std::max(largest, std::abs(logit));
  return largest;
}

absl::StatusOr<std::vector<GoldenCase>> ReadGolden(const std::filesystem::path& source, std::string_view model) {
  const std::filesystem::path path = source / "tests" / "golden" / "model_logits.json";
  KS_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, 1 << 20));
  KS_ASSIGN_OR_RETURN(const JsonDocument document, JsonDocument::Parse(text, path.string()));
  KS_ASSIGN_OR_RETURN(const JsonObject root, document.root().AsObject());
  KS_ASSIGN_OR_RETURN(const JsonValue entry, root.Require(model));
  KS_ASSIGN_OR_RETURN(const JsonObject members, entry.AsObject());
  KS_ASSIGN_OR_RETURN(const JsonValue cases, members.Require("cases"));
  KS_ASSIGN_OR_RETURN(const std::vector<JsonValue> values, cases.AsArray());
  std::vector<GoldenCase> golden;
  for (const JsonValue& value : values) {
    KS_ASSIGN_OR_RETURN(GoldenCase read, ReadCase(value));
    golden.push_back(std::move(read));
  }
  return golden;
}

GoldenBatch::GoldenBatch(const std::vector<GoldenCase>& cases) {
  for (const GoldenCase& added : cases) {
    ids_.insert(ids_.end(), added.ids.begin(), added.ids.end());
    for (int i = 0; i < static_cast<int>(added.ids.size()); ++i) types_.push_back(i < added.first_segment ? 0 : 1);
    offsets_.push_back(static_cast<int32_t>(ids_.size()));
  }
}

}  // namespace ks
