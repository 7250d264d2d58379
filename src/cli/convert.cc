// `convert`: a Hugging Face model directory into a package.
#include "convert/convert.h"

#include <charconv>
#include <cstdio>
#include <memory>
#include <span>

#include "absl/strings/str_split.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/tables/table.h"
#include "engine/load_served.h"
#include "measure/short_gate.h"

namespace ks {
namespace {

constexpr int64_t kListedRows = 20;

struct Flags {
  std::string checkpoint;
  std::string output;
  bool overwrite = false;
  std::string precision = "fp32,int8";
  bool portable = false;
  std::optional<std::string> keep_fp32;
  std::string calibration;
  std::string save_calibrated;
  std::optional<std::string> text_column;
  bool no_header = false;
  std::string name;
  std::optional<std::string> labels;
  int64_t max_length = 0;
  std::optional<std::string> temperature;
  std::string save_temperature;
  bool no_gate = false;
  bool json = false;
};

// What is wrong inside a checkpoint is no wrong usage: a file of it, which the message names, cannot be used.
ExitCode ConvertExitCode(const absl::Status& status, const Flags& flags) {
  const bool names_checkpoint = ToStd(status.message()).find(flags.checkpoint) != std::string_view::npos;
  if (absl::IsInvalidArgument(status) && names_checkpoint) return kExitUnreadable;
  return ExitCodeOf(status);
}

void PrintReport(const ConvertReport& report, Duration elapsed, bool as_json) {
  if (as_json) {
    JsonWriter json;
    json.BeginObject().Key("directory").String(report.directory.string());
    json.Key("name").String(report.manifest.name).Key("bytes").Int(report.bytes);
    json.Key("seconds").Fixed(Seconds(elapsed), 3).EndObject();
    std::printf("%s\n", json.text().c_str());
    return;
  }
  std::fprintf(stderr, "%s: %.1f MB in %.1f s\n", report.directory.c_str(), static_cast<double>(report.bytes) / 1e6,
               Seconds(elapsed));
}

// Any number; convert says which ones can be.
absl::StatusOr<std::optional<float>> ParseTemperature(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  float value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error == std::errc() && end == text->data() + text->size()) return value;
  return InvalidArgument("--temperature: expected a number, found \"", *text, "\"");
}

// The texts to calibrate on. A row that cannot be read is left out, aloud: what counts is that there are enough.
absl::StatusOr<std::vector<std::string>> ReadCalibrationTexts(const Flags& flags) {
  std::vector<std::string> texts;
  if (flags.calibration.empty()) return texts;
  KS_ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> source, OpenByteSource(flags.calibration));
  KS_ASSIGN_OR_RETURN(const std::unique_ptr<TableReader> reader, OpenTable(std::move(source), flags.calibration,
                                                                           {.format = FormatOfPath(flags.calibration),
                                                                            .text_column = flags.text_column,
                                                                            .header = !flags.no_header}));
  Row row;
  int64_t left_out = 0;
  while (true) {
    KS_ASSIGN_OR_RETURN(const bool more, reader->Next(row));
    if (!more) break;
    if (row.error.empty()) {
      texts.push_back(row.text);
    } else if (++left_out <= kListedRows) {
      std::fprintf(stderr, "left out: %s: line %s: %s\n", flags.calibration.c_str(), Cat(row.line).c_str(),
                   row.error.c_str());
    }
  }
  if (left_out > 0) {
    std::fprintf(stderr, "%s: %s of %s rows could not be read and are left out\n", flags.calibration.c_str(),
                 Cat(left_out).c_str(), Cat(left_out + static_cast<int64_t>(texts.size())).c_str());
  }
  if (texts.empty()) return DataLoss(flags.calibration, ": expected texts to calibrate on, found none");
  return texts;
}

// Refuses a package whose int8 is too far from its fp32.
absl::Status AskGate(const std::filesystem::path& package, std::span<const std::string> texts) {
  ShortGateOptions options;
  options.texts.assign(texts.begin(), texts.end());
  options.open = OpenServedBackends;
  KS_ASSIGN_OR_RETURN(const ValidationReport report, RunShortGate(package, options));
  std::string broken;
  for (const GateResult& gate : report.gates) {
    if (!gate.passed) broken += Cat(broken.empty() ? "" : "; ", gate.sentence);
  }
  if (broken.empty()) return absl::OkStatus();
  return absl::AbortedError(ToAbsl(Cat("int8 is not close enough to fp32: ", broken,
                                       " (--keep-fp32 leaves layers in fp32, --no-gate writes it all the same)")));
}

int RunConvert(const Flags& flags) {
  const TimePoint started = SystemClock().Now();
  ConvertOptions options;
  options.checkpoint_dir = flags.checkpoint;
  options.output_dir = flags.output;
  options.overwrite = flags.overwrite;
  options.name = flags.name;
  options.precisions = absl::StrSplit(flags.precision, ',');
  options.portable_int8 = flags.portable;
  if (flags.keep_fp32) options.fp32_layers = absl::StrSplit(*flags.keep_fp32, ',');
  if (flags.labels) options.labels = absl::StrSplit(*flags.labels, ',');
  options.max_length = static_cast<int>(flags.max_length);
  const absl::StatusOr<std::optional<float>> temperature = ParseTemperature(flags.temperature);
  if (!temperature.ok()) return Fail(temperature.status());
  options.temperature = *temperature;
  options.save_temperature = flags.save_temperature;
  options.save_calibrated = flags.save_calibrated;
  absl::StatusOr<std::vector<std::string>> texts = ReadCalibrationTexts(flags);
  if (!texts.ok()) return Fail(texts.status());
  options.calibration_texts = *std::move(texts);
  if (options.precisions.size() == 2 && !flags.no_gate) options.gate = AskGate;
  options.progress = [&](std::string_view step) {
    std::fprintf(stderr, "%6.2f s  %s\n", Seconds(SystemClock().Now() - started), std::string(step).c_str());
  };
  const absl::StatusOr<ConvertReport> report = Convert(options);
  if (absl::IsAlreadyExists(report.status())) {
    return Fail(absl::Status(report.status().code(),
                             Cat(ToStd(report.status().message()), " (--overwrite replaces a package)")));
  }
  if (!report.ok()) return Fail(report.status(), ConvertExitCode(report.status(), flags));
  PrintReport(*report, SystemClock().Now() - started, flags.json);
  return kExitDone;
}

}  // namespace

Command ConvertCommand() {
  auto flags = std::make_shared<Flags>();
  return {
      .name = "convert",
      .summary = "Turns a Hugging Face sequence classifier into a package for serve and predict",
      .flags = {{.name = "CHECKPOINT_DIR",
                 .target = &flags->checkpoint,
                 .placeholder = "",
                 .meaning = "config.json, tokenizer.json and model.safetensors",
                 .required = true},
                {.name = "--output",
                 .target = &flags->output,
                 .placeholder = "DIR",
                 .meaning = "the package",
                 .required = true},
                {"--overwrite", &flags->overwrite, "", "replace a package that is there"},
                {"--precision", &flags->precision, "NAME,..", "precisions to make: fp32, int8 or both"},
                {"--portable", &flags->portable, "", "also write int8 in ONNX's own operators, for other programs"},
                {"--keep-fp32", &flags->keep_fp32, "LAYER,..", "dense layers that int8 leaves in fp32"},
                {"--calibration", &flags->calibration, "FILE",
                 "texts to fit the int8 weights to: csv, tsv, jsonl or text"},
                {"--text-column", &flags->text_column, "NAME|N", "of the calibration's texts"},
                {"--no-header", &flags->no_header, "", "its first row is a text, too; columns are numbers from 1"},
                {"--save-calibrated", &flags->save_calibrated, "FILE", "keep what the calibration gave"},
                {"--name", &flags->name, "NAME", "of the model; without it the checkpoint directory's"},
                {"--labels", &flags->labels, "A,B,C", "instead of config.json's, in the order of the logits"},
                {"--max-length", IntFlag{&flags->max_length, 0, 1 << 20}, "N",
                 "window in tokens, special ones included; 0 takes all that the model has"},
                {"--temperature", &flags->temperature, "X",
                 "divides the logits; without it what temperature.json beside the checkpoint says, or 1"},
                {"--save-temperature", &flags->save_temperature, "FILE", "keep it for this checkpoint's weights"},
                {"--no-gate", &flags->no_gate, "", "do not compare int8 with fp32 before putting the package in place"},
                {"--json", &flags->json, "", "report as one JSON object"}},
      .run = [flags] { return RunConvert(*flags); }};
}

}  // namespace ks
