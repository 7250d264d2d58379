// `validate`: is what a package says still what its model says? The gate of a pipeline.
#include "measure/validate.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <memory>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/mapped_file.h"
#include "base/status_macros.h"
#include "cli/commands.h"
#include "cli/labelled_data.h"
#include "cli/output_file.h"
#include "cli/progress.h"
#include "cli/validate_sides.h"
#include "convert/convert.h"
#include "model/config.h"

namespace ks {
namespace {

constexpr int64_t kMaxSamples = int64_t{1} << 31;

struct Flags {
  std::string directory;
  std::vector<std::string> data;
  std::string candidate;
  std::string reference;
  int64_t samples = 10000;
  std::optional<std::string> text_column;
  std::optional<std::string> label_column;
  bool no_header = false;
  bool label_ids = false;
  std::optional<std::string> classes;
  std::string checkpoint;
  bool layers = false;
  bool batch_invariance = false;
  std::string report;
  std::optional<std::string> max_diff, mean_diff, min_agreement, min_accuracy, max_accuracy_loss;
  int64_t threads = 0;
  bool json = false;
};

// A bound: a number from 0, or a share from 0 to 1, which may be given in percent ("99.5%").
absl::StatusOr<double> ParseBound(std::string_view flag, std::string_view text, bool share) {
  const bool percent = share && text.ends_with('%');
  const std::string_view digits = text.substr(0, text.size() - (percent ? 1 : 0));
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (percent) value /= 100;
  const bool valid =
      error == std::errc() && end == digits.data() + digits.size() && value >= 0 && (!share || value <= 1);
  if (valid) return value;
  return InvalidArgument(flag, ": expected ",
                         share ? "a share from 0 to 1, or a percentage such as 99.5%" : "a number from 0", ", found \"",
                         text, "\"");
}

absl::Status SetBound(std::string_view flag, const std::optional<std::string>& text, bool share,
                      std::optional<double>& bound) {
  if (!text) return absl::OkStatus();
  KS_ASSIGN_OR_RETURN(bound, ParseBound(flag, *text, share));
  return absl::OkStatus();
}

// The defaults of the candidate's precision under what the flags say.
absl::StatusOr<Gates> MakeGates(const Flags& flags, std::string_view candidate) {
  Gates gates = DefaultGates(candidate == "int8" ? "int8" : "fp32");
  KS_RETURN_IF_ERROR(SetBound("--max-diff", flags.max_diff, false, gates.max_diff));
  KS_RETURN_IF_ERROR(SetBound("--mean-diff", flags.mean_diff, false, gates.mean_diff));
  KS_RETURN_IF_ERROR(SetBound("--min-agreement", flags.min_agreement, true, gates.min_agreement));
  KS_RETURN_IF_ERROR(SetBound("--min-accuracy", flags.min_accuracy, true, gates.min_accuracy));
  KS_RETURN_IF_ERROR(SetBound("--max-accuracy-loss", flags.max_accuracy_loss, true, gates.max_accuracy_loss));
  return gates;
}

absl::StatusOr<std::vector<int>> ParseClasses(const Flags& flags, const std::vector<std::string>& labels) {
  std::vector<int> classes;
  if (!flags.classes) return classes;
  for (const std::string& name : std::vector<std::string>(absl::StrSplit(*flags.classes, ','))) {
    const std::optional<int> index = FindLabel(labels, name);
    if (!index) {
      return InvalidArgument("--classes: expected labels of the model, ", absl::StrJoin(labels, ", "), "; found \"",
                             name, "\"");
    }
    classes.push_back(*index);
  }
  std::ranges::sort(classes);
  if (std::ranges::adjacent_find(classes) != classes.end()) return InvalidArgument("--classes: a label is given twice");
  if (classes.size() < 2) return InvalidArgument("--classes: expected at least two labels, found one");
  return classes;
}

// The labels of a checkpoint's config.json. What is wrong inside it is no wrong usage.
absl::StatusOr<std::vector<std::string>> CheckpointLabels(const std::filesystem::path& config) {
  KS_ASSIGN_OR_RETURN(const std::string text, ReadFile(config, kMaxConfigBytes));
  const absl::StatusOr<ClassifierSpec> spec = ParseConfig(text, config.string());
  if (absl::IsInvalidArgument(spec.status())) return WithCode(spec.status(), absl::StatusCode::kDataLoss);
  KS_RETURN_IF_ERROR(spec.status());
  return spec->labels;
}

// A bar for each stage.
class StageProgress {
 public:
  void Update(std::string_view stage, int64_t done, int64_t total) {
    if (stage != stage_) {
      stage_ = stage;
      bar_ = std::make_unique<ProgressBar>(ProgressBar::StderrIsTerminal(), SystemClock());
    }
    bar_->Update(done, total, done);
  }
  void Clear() { bar_.reset(); }

 private:
  std::string stage_;
  std::unique_ptr<ProgressBar> bar_;
};

absl::StatusOr<ValidationInput> MakeInput(const Flags& flags, const Manifest& manifest, StageProgress& progress) {
  const std::vector<std::string>& labels = manifest.spec.labels;
  const Sides<std::string> sides = ChooseSides(manifest, {flags.reference, flags.candidate});
  if (flags.batch_invariance && sides.candidate != "int8") {
    return InvalidArgument("--batch-invariance: expected an int8 candidate, the one that promises it; found ",
                           sides.candidate);
  }
  const auto threads = static_cast<int>(flags.threads);
  ValidationInput input;
  KS_ASSIGN_OR_RETURN(input.gates, MakeGates(flags, sides.candidate));
  KS_ASSIGN_OR_RETURN(input.classes, ParseClasses(flags, labels));
  if (!flags.checkpoint.empty()) {
    const std::filesystem::path config = std::filesystem::path(flags.checkpoint) / kConfigFile;
    KS_ASSIGN_OR_RETURN(input.checkpoint_labels, CheckpointLabels(config));
    input.checkpoint_name = config.string();
  }
  // The data before the models: a wrong column should be told at once.
  input.samples = static_cast<size_t>(flags.samples);
  KS_ASSIGN_OR_RETURN(input.data, ReadLabelledData({.files = flags.data,
                                                    .text_column = flags.text_column,
                                                    .label_column = flags.label_column,
                                                    .header = !flags.no_header,
                                                    .label_ids = flags.label_ids,
                                                    .labels = labels,
                                                    .classes = input.classes,
                                                    .samples = input.samples}));
  KS_ASSIGN_OR_RETURN(input.models.reference, LoadSide(flags.directory, sides.reference, threads));
  KS_ASSIGN_OR_RETURN(input.models.candidate, LoadSide(flags.directory, sides.candidate, threads));
  input.layers = flags.layers;
  if (flags.batch_invariance) {
    KS_ASSIGN_OR_RETURN(input.invariance, LoadInvarianceSides(flags.directory, threads));
  }
  input.progress = [&progress](std::string_view stage, int64_t done, int64_t total) {
    progress.Update(stage, done, total);
  };
  return input;
}

absl::Status WriteReports(const Flags& flags, const ValidationReport& report) {
  if (flags.report.empty()) return absl::OkStatus();
  KS_RETURN_IF_ERROR(WriteOutputFile(flags.report, ReportJson(report)));
  return WriteOutputFile(std::filesystem::path(flags.report).replace_extension(".html").string(), ReportHtml(report));
}

int RunValidate(const Flags& flags) {
  if (!flags.report.empty() && !flags.report.ends_with(".json")) {
    return Fail(InvalidArgument(
        "--report: expected a name ending in .json (the page beside it ends in .html), found \"", flags.report, "\""));
  }
  const auto package = Package::Open(flags.directory);
  if (!package.ok()) return Fail(package.status(), kExitUnreadable);
  StageProgress progress;
  absl::StatusOr<ValidationInput> input = MakeInput(flags, (*package)->manifest(), progress);
  if (!input.ok()) return Fail(input.status());
  const absl::StatusOr<ValidationReport> report = Validate(*std::move(input));
  progress.Clear();
  if (!report.ok()) return Fail(report.status(), kExitFailed);
  if (const absl::Status written = WriteReports(flags, *report); !written.ok()) return Fail(written, kExitFailed);
  std::fputs((flags.json ? ReportJson(*report) : ReportText(*report)).c_str(), stdout);
  std::fputs(FailureText(*report).c_str(), stderr);
  return report->passed() ? kExitDone : kExitFailed;
}

}  // namespace

Command ValidateCommand() {
  auto flags = std::make_shared<Flags>();
  return {
      .name = "validate",
      .summary = "Compares two sides of a package over texts and judges the difference",
      .flags =
          {{.name = "DIR", .target = &flags->directory, .placeholder = "", .meaning = "the package", .required = true},
           {.name = "--data",
            .target = &flags->data,
            .placeholder = "FILE..",
            .meaning = "texts, with labels or without; read as predict reads its input",
            .required = true},
           {"--candidate",
            &flags->candidate,
            "NAME",
            "what is judged; int8 where the package has it",
            {"int8", "fp32", "pytorch"}},
           {"--reference",
            &flags->reference,
            "NAME",
            "what it is held against; pytorch for fp32, fp32 for the others",
            {"pytorch", "fp32"}},
           {"--samples", IntFlag{&flags->samples, 0, kMaxSamples}, "N",
            "texts to use of all files together; 0 takes all"},
           {"--text-column", &flags->text_column, "NAME|N", "column of the text, by name or number from 1"},
           {"--label-column", &flags->label_column, "NAME|N",
            "column of the label; without it the one called label, if any"},
           {"--no-header", &flags->no_header, "", "the first row is none (csv, tsv)"},
           {"--label-ids", &flags->label_ids, "", "labels are numbers from 0, not names"},
           {"--classes", &flags->classes, "A,B", "the only labels that count"},
           {"--checkpoint", &flags->checkpoint, "DIR", "also ask that the labels are those of its config.json"},
           {"--layers", &flags->layers, "", "also compare layer by layer"},
           {"--batch-invariance", &flags->batch_invariance, "",
            "also compare int8 logits alone and in batches, bit by bit"},
           {"--report", &flags->report, "OUT.json", "where the report goes, and OUT.html"},
           {"--max-diff", &flags->max_diff, "X", "largest |difference| of a probability allowed"},
           {"--mean-diff", &flags->mean_diff, "X", "mean |difference| allowed"},
           {"--min-agreement", &flags->min_agreement, "X", "least share of texts with the same label"},
           {"--min-accuracy", &flags->min_accuracy, "X", "least accuracy of the candidate"},
           {"--max-accuracy-loss", &flags->max_accuracy_loss, "X", "largest loss of accuracy on any file"},
           ThreadsFlag(&flags->threads),
           {"--json", &flags->json, "", "the report as JSON on standard output"}},
      .run = [flags] { return RunValidate(*flags); }};
}

}  // namespace ks
