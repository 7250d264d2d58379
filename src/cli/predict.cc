// `predict`: texts from the command line or rows of a file through the model.
#include <algorithm>
#include <cstdio>
#include <limits>
#include <memory>

#include "base/clock.h"
#include "base/status_macros.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output_file.h"
#include "cli/progress.h"
#include "cli/score_table.h"
#include "cli/tables/columns.h"
#include "cli/tables/table.h"
#include "engine/load_served.h"
#include "telemetry/metrics.h"

namespace ks {
namespace {

constexpr int64_t kListedBadRows = 20;

struct Flags {
  std::vector<std::string> texts;
  std::optional<std::string> input;
  std::string format;
  std::optional<std::string> text_column;
  bool no_header = false;
  std::string output = "-";
  std::string model;
  std::string backend = "onnx";
  std::string precision = "auto";
  int64_t threads = 0;
  bool json = false;
};

// The texts of the command line as rows of plain text.
class ArgumentTable final : public TableReader {
 public:
  ArgumentTable(std::vector<std::string> texts, bool as_json) : texts_(std::move(texts)), as_json_(as_json) {}

  absl::StatusOr<bool> Next(Row& row) override {
    if (next_ == texts_.size()) return false;
    row = MakeTextRow(texts_[next_++], as_json_);
    std::ranges::replace_if(row.kept, [](char c) { return c == '\n' || c == '\r'; }, ' ');  // a row is a line
    row.line = static_cast<int64_t>(next_);
    return true;
  }
  const ByteSource& source() const override { return *source_; }

 private:
  const std::vector<std::string> texts_;
  const bool as_json_;
  const std::unique_ptr<ByteSource> source_ = MemoryByteSource("", "");
  size_t next_ = 0;
};

TableFormat FormatOf(const Flags& flags) {
  if (flags.format == "csv") return TableFormat::kCsv;
  if (flags.format == "tsv") return TableFormat::kTsv;
  if (flags.format == "jsonl") return TableFormat::kJsonl;
  if (flags.format == "text" || !flags.input) return TableFormat::kText;
  return FormatOfPath(*flags.input);
}

// Settings that contradict each other would otherwise be ignored in silence.
absl::Status CheckFlags(const Flags& flags, TableFormat format) {
  if (flags.texts.empty() && !flags.input) return InvalidArgument("expected TEXT or --input FILE, found neither");
  if (!flags.texts.empty() && flags.input) return InvalidArgument("expected TEXT or --input FILE, found both");
  if (!flags.texts.empty() && format != TableFormat::kText) {
    return InvalidArgument("--format: texts of the command line have none; it goes with --input");
  }
  const bool has_columns = format == TableFormat::kCsv || format == TableFormat::kTsv;
  if (flags.text_column && format == TableFormat::kText)
    return InvalidArgument("--text-column: plain text has no columns");
  if (flags.no_header && !has_columns) return InvalidArgument("--no-header: only csv and tsv have a header");
  if (flags.json && format != TableFormat::kText) {
    return InvalidArgument("--json is for texts and plain text; the output of another format has the input's");
  }
  if (flags.backend == "pytorch" && flags.precision == "int8") {
    return InvalidArgument("--precision is int8 but --backend is pytorch, which has fp32 alone");
  }
  if (WithoutCompression(flags.output) != flags.output) {
    return InvalidArgument("--output: ", flags.output, ": compressed output is not written");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<TableReader>> OpenInput(const Flags& flags) {
  if (!flags.input) return std::make_unique<ArgumentTable>(flags.texts, flags.json);
  KS_ASSIGN_OR_RETURN(auto source, OpenByteSource(*flags.input));
  const std::string name = *flags.input == "-" ? "standard input" : *flags.input;
  return OpenTable(std::move(source), name,
                   {.format = FormatOf(flags),
                    .text_column = flags.text_column,
                    .header = !flags.no_header,
                    .lines_as_json = flags.json});
}

// A model and an engine without limits on length and time: those belong to serving.
struct Scoring {
  Metrics metrics;
  std::shared_ptr<const ServedModel> model;
  std::unique_ptr<Engine> engine;
  int workers = 0;
};

absl::Status StartEngine(const Flags& flags, Scoring& scoring) {
  KS_ASSIGN_OR_RETURN(const LoadedModel loaded,
                      LoadServedModel(ModelPath(flags.model), {.backend = flags.backend,
                                                               .precision = flags.precision,
                                                               .threads = static_cast<int>(flags.threads),
                                                               .many_texts = flags.input.has_value()}));
  scoring.model = loaded.model;
  scoring.workers = loaded.plan.workers;
  const Manifest& manifest = loaded.model->manifest();
  ModelMetrics& metrics =
      scoring.metrics.AddModel({.model = manifest.name, .labels = manifest.spec.labels, .backends = {flags.backend}});
  const EngineOptions options = {.max_queue_tokens = std::numeric_limits<int64_t>::max(),
                                 .max_batch_tokens = std::numeric_limits<int>::max(),
                                 .default_deadline = Duration::max()};
  KS_ASSIGN_OR_RETURN(scoring.engine, Engine::Create(loaded.model, options, metrics, SystemClock()));
  return absl::OkStatus();
}

// Says on stderr which rows are bad, as they come, and how it went.
class Reporter {
 public:
  explicit Reporter(const Flags& flags)
      : what_(flags.input ? Cat(*flags.input == "-" ? "standard input" : *flags.input, ": line ") : "text "),
        with_summary_(flags.input.has_value()),
        bar_(flags.input && ProgressBar::StderrIsTerminal(), SystemClock()) {}

  void BadRow(const Row& row) {
    if (++bad_rows_ > kListedBadRows) return;
    bar_.Clear();
    std::fprintf(stderr, "error: %s%s: %s\n", what_.c_str(), Cat(row.line).c_str(), row.error.c_str());
    if (bad_rows_ == kListedBadRows) std::fputs("further bad rows are counted, not listed\n", stderr);
  }

  void Progress(const ScoreCounts& counts, const ByteSource& source) {
    bar_.Update(source.bytes_read(), source.total_bytes(), counts.rows);
  }

  void Summary(const ScoreCounts& counts) {
    bar_.Clear();
    if (!with_summary_) return;
    const double seconds = Seconds(bar_.elapsed());
    const auto scored = static_cast<double>(counts.rows - counts.bad_rows);
    std::fprintf(stderr, "%.0f texts in %.2f s, %.1f texts/s", scored, seconds, seconds > 0 ? scored / seconds : 0);
    if (counts.bad_rows > 0) {
      std::fprintf(stderr, "; %s of %s rows could not be scored", Cat(counts.bad_rows).c_str(),
                   Cat(counts.rows).c_str());
    }
    std::fputs("\n", stderr);
  }

 private:
  const std::string what_;
  const bool with_summary_;
  ProgressBar bar_;
  int64_t bad_rows_ = 0;
};

absl::StatusOr<ScoreCounts> ScoreInput(const Flags& flags, TableReader& reader, Scoring& scoring, OutputFile& output,
                                       const InterruptFlag& interrupt) {
  const auto writer = MakeTableWriter(flags.json ? TableFormat::kJsonl : FormatOf(flags), !flags.no_header,
                                      reader.columns(), scoring.model->spec().labels);
  Reporter reporter(flags);
  const ScoreOptions options = {
      .chunks_in_flight = 4 * scoring.workers,
      .interrupted = [&] { return interrupt.raised(); },
      .on_bad_row = [&](const Row& row) { reporter.BadRow(row); },
      .on_progress = [&](const ScoreCounts& counts) { reporter.Progress(counts, reader.source()); },
  };
  const SubmitTexts submit = [&](std::span<const TextInput> texts, Engine::Done done) {
    scoring.engine->Submit(texts, {}, std::move(done));
  };
  KS_ASSIGN_OR_RETURN(const ScoreCounts counts, ScoreTable(reader, *writer, submit, output, options));
  KS_RETURN_IF_ERROR(output.Commit());
  reporter.Summary(counts);
  return counts;
}

int RunPredict(const Flags& flags) {
  if (const absl::Status checked = CheckFlags(flags, FormatOf(flags)); !checked.ok()) return Fail(checked);
  // The input first: a wrong column should be told before a model is loaded.
  const auto reader = OpenInput(flags);
  if (!reader.ok()) return Fail(reader.status());
  InterruptFlag::Block();  // for the threads of the engine
  Scoring scoring;
  if (const absl::Status started = StartEngine(flags, scoring); !started.ok()) return Fail(started);

  const InterruptFlag interrupt;
  auto output = OutputFile::Open(flags.output);
  if (!output.ok()) return Fail(output.status(), kExitFailed);
  const absl::StatusOr<ScoreCounts> counts = ScoreInput(flags, **reader, scoring, **output, interrupt);
  if (counts.ok()) return counts->bad_rows == 0 ? kExitDone : kExitFailed;
  output->reset();
  if (interrupt.raised()) interrupt.EndProcess();
  if (absl::IsCancelled(counts.status())) return kExitFailed;  // nobody reads the output any more
  return Fail(counts.status());
}

}  // namespace

Command PredictCommand() {
  auto flags = std::make_shared<Flags>();
  return {
      .name = "predict",
      .summary = "Scores texts, or the rows of a file",
      .flags = {{"TEXT", &flags->texts, "", "texts to score"},
                {"--input", &flags->input, "FILE", "rows to score; - is standard input; .gz and .xz are read through"},
                {"--format",
                 &flags->format,
                 "NAME",
                 "of the rows; without it the file's extension says",
                 {"text", "jsonl", "csv", "tsv"}},
                {"--text-column", &flags->text_column, "NAME|N", "column of the text, by name or number from 1"},
                {"--no-header", &flags->no_header, "", "the first row is none (csv, tsv)"},
                {"--output", &flags->output, "FILE", "where rows and scores go; - is standard output"},
                {"--model", &flags->model, "DIR", "package; without it the default model"},
                BackendFlag(&flags->backend),
                PrecisionFlag(&flags->precision),
                ThreadsFlag(&flags->threads),
                {"--json", &flags->json, "", "one JSON object for each text"}},
      .run = [flags] { return RunPredict(*flags); }};
}

}  // namespace ks
