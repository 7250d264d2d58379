// Tested by short_gate_test.cc.
#include "measure/short_gate.h"

#include <cerrno>
#include <fstream>

#include "base/status.h"
#include "base/status_macros.h"
#include "measure/validate.h"

namespace ks {
namespace {

absl::StatusOr<std::shared_ptr<const ServedModel>> Load(const std::filesystem::path& package,
                                                        const std::string& precision, const ShortGateOptions& options) {
  KS_ASSIGN_OR_RETURN(
      LoadedModel loaded,
      LoadModel(package, {.precision = precision, .threads = options.threads, .many_texts = !options.texts.empty()},
                options.open));
  return std::move(loaded.model);
}

DataSet MakeData(const ShortGateOptions& options, const Manifest& manifest) {
  std::vector<std::string> texts = options.texts;
  if (texts.empty()) {
    for (const SelfCheck& check : manifest.self_checks) texts.push_back(check.text);
  }
  DataSet data;
  data.files.push_back({.name = options.texts.empty() ? "self-check texts" : "calibration texts",
                        .rows = static_cast<int64_t>(texts.size()),
                        .labelled = false});
  for (size_t i = 0; i < texts.size(); ++i) {
    data.examples.push_back({.text = std::move(texts[i]), .file = 0, .line = static_cast<int64_t>(i + 1)});
  }
  return data;
}

absl::Status WriteWithoutTexts(ValidationReport report, const std::filesystem::path& path) {
  report.comparison.worst.clear();
  std::ofstream file(path, std::ios::binary);
  file << ReportJson(report);
  file.close();
  return file ? absl::OkStatus() : ErrnoStatus(errno, path.string());
}

}  // namespace

absl::StatusOr<ValidationReport> RunShortGate(const std::filesystem::path& package, const ShortGateOptions& options) {
  ValidationInput input;
  KS_ASSIGN_OR_RETURN(input.models.reference, Load(package, "fp32", options));
  KS_ASSIGN_OR_RETURN(input.models.candidate, Load(package, "int8", options));
  input.data = MakeData(options, input.models.candidate->manifest());
  input.gates = DefaultGates("int8");
  input.progress = options.progress;
  KS_ASSIGN_OR_RETURN(ValidationReport report, Validate(std::move(input)));
  KS_RETURN_IF_ERROR(WriteWithoutTexts(report, package / kValidationFile));
  return report;
}

}  // namespace ks
