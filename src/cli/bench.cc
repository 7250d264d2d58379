// `bench`: one package on this machine. Latency and throughput are measured in this process, cold start and memory on a
// server that this program starts from its own file.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "base/cpu.h"
#include "base/program_path.h"
#include "base/status.h"
#include "base/status_macros.h"
#include "base/version.h"
#include "cli/commands.h"
#include "cli/output_file.h"
#include "cli/progress.h"
#include "engine/load_served.h"
#include "kernels/dispatch.h"
#include "measure/bench_report.h"
#include "telemetry/metrics.h"

namespace ks {
namespace {

constexpr int kColdStarts = 30;
constexpr char kFloorProgram[] = "ks_ort_floor";  // of the build tree; not installed
constexpr int kMemoryTexts = 100;
constexpr int kCallers[] = {1, 2, 8, 64};

struct Flags {
  std::string directory;
  std::string scenario;  // empty: all
  std::string backend = "onnx";
  std::string precision = "auto";
  int64_t threads = 0;
  int64_t run_threads = 1;
  double seconds = 2;
  std::optional<std::string> shapes;
  std::optional<std::string> report;
  bool json = false;
};

// Says on a terminal what is being measured.
class Status {
 public:
  Status() : shown_(ProgressBar::StderrIsTerminal()) {}
  ~Status() { Say(""); }
  Status(const Status&) = delete;
  Status& operator=(const Status&) = delete;

  // \033[K clears what a longer line before this one left.
  void Say(std::string_view what) const {
    if (shown_) std::fprintf(stderr, "\r%.*s\033[K", static_cast<int>(what.size()), what.data());
  }

 private:
  const bool shown_;
};

// The bundled texts: real ones, and the same for everybody who has the package.
absl::StatusOr<std::vector<std::string>> Texts(const Manifest& manifest, const std::string& directory) {
  std::vector<std::string> texts;
  for (const SelfCheck& check : manifest.self_checks) texts.push_back(check.text);
  if (texts.empty()) return FailedPrecondition(directory, ": manifest.json: expected self-check texts, found none");
  return texts;
}

absl::Status InThisProcess(const Flags& flags, const LoadedModel& loaded, std::span<const std::string> texts,
                           const BenchProgress& progress, BenchReport& report) {
  const Manifest& manifest = loaded.model->manifest();
  const auto time = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(flags.seconds));
  const BenchBudget budget = {.warm_up = std::min(BenchBudget().warm_up, time), .time = time};
  if (flags.scenario.empty() || flags.scenario == "latency") {
    Backend* backend = loaded.model->groups()[0].workers[0].get();
    std::unique_ptr<Backend> wide;
    if (flags.run_threads > 1) {
      KS_ASSIGN_OR_RETURN(wide, OpenOnCores(loaded, 0, static_cast<int>(flags.run_threads), OpenServedBackends));
      backend = wide.get();
    }
    std::vector<RunShape> shapes = UsualShapes(backend->facts());
    if (flags.shapes) {
      KS_ASSIGN_OR_RETURN(shapes, ParseRunShapes(*flags.shapes));
    }
    KS_ASSIGN_OR_RETURN(report.latency, MeasureLatency(*backend, manifest.spec.encoder.vocab_size, shapes, budget,
                                                       SystemClock(), progress));
  }
  if (flags.scenario.empty() || flags.scenario == "throughput") {
    Metrics metrics;
    ModelMetrics& model_metrics =
        metrics.AddModel({.model = manifest.name, .labels = manifest.spec.labels, .backends = {flags.backend}});
    KS_ASSIGN_OR_RETURN(const auto engine, Engine::Create(loaded.model, {.default_deadline = Duration::max()},
                                                          model_metrics, SystemClock()));
    KS_ASSIGN_OR_RETURN(report.throughput,
                        MeasureThroughput(*engine, texts, kCallers, budget, SystemClock(), progress));
  }
  return absl::OkStatus();
}

absl::Status AsServer(const Flags& flags, std::span<const std::string> texts, const BenchProgress& progress,
                      BenchReport& report) {
  KS_ASSIGN_OR_RETURN(const std::filesystem::path program, ProgramFile());
  const ServerCommand command = {
      .program = program.string(),
      .arguments = {"serve", "--model", flags.directory, "--listen", "127.0.0.1:{port}", "--backend", flags.backend,
                    "--precision", report.precision, "--threads", Cat(flags.threads), "--access-log=false"}};
  if (flags.scenario.empty() || flags.scenario == "coldstart") {
    const std::filesystem::path floor = program.parent_path() / kFloorProgram;
    std::error_code ignored;
    const bool has_floor = flags.backend == "onnx" && std::filesystem::exists(floor, ignored);
    KS_ASSIGN_OR_RETURN(report.cold_start,
                        MeasureColdStart(command, has_floor ? floor.string() : "", texts[0], kColdStarts, progress));
  }
  if (flags.scenario.empty() || flags.scenario == "memory") {
    KS_ASSIGN_OR_RETURN(report.memory, MeasureMemory(command, texts, kMemoryTexts, progress));
  }
  return absl::OkStatus();
}

absl::StatusOr<BenchReport> Measure(const Flags& flags) {
  const Status status;
  const BenchProgress progress = [&](std::string_view what) { status.Say(what); };
  BenchReport report;
  report.backend = flags.backend;
  report.cpu = CpuModelName();
  report.isa = IsaName(BestIsa());
  report.version = Version();
  report.cores = EffectiveCores();
  std::vector<std::string> texts;
  {
    // Checks the package's own texts: no time counts for a model that does not say what it should.
    KS_ASSIGN_OR_RETURN(const LoadedModel loaded,
                        LoadServedModel(flags.directory, {.backend = flags.backend,
                                                          .precision = flags.precision,
                                                          .threads = static_cast<int>(flags.threads)}));
    KS_ASSIGN_OR_RETURN(texts, Texts(loaded.model->manifest(), flags.directory));
    report.model = loaded.model->manifest().name;
    report.precision = loaded.plan.precision;
    report.workers = loaded.plan.workers;
    report.threads_per_run = static_cast<int>(flags.run_threads);
    KS_RETURN_IF_ERROR(InThisProcess(flags, loaded, texts, progress, report));
  }  // gone before a server is measured
  KS_RETURN_IF_ERROR(AsServer(flags, texts, progress, report));
  return report;
}

int RunBench(const Flags& flags) {
  const absl::StatusOr<BenchReport> report = Measure(flags);
  if (!report.ok()) return Fail(report.status());
  const std::string json = BenchReportJson(*report) + "\n";
  if (flags.report) {
    const absl::Status written = WriteOutputFile(*flags.report, json);
    if (!written.ok()) return Fail(written, kExitFailed);
  }
  std::fputs(flags.json ? json.c_str() : BenchReportText(*report).c_str(), stdout);
  return kExitDone;
}

}  // namespace

Command BenchCommand() {
  auto flags = std::make_shared<Flags>();
  return {
      .name = "bench",
      .summary = "Measures a package on this machine: latency, throughput, cold start, memory",
      .flags =
          {{.name = "DIR", .target = &flags->directory, .placeholder = "", .meaning = "the package", .required = true},
           {"--scenario",
            &flags->scenario,
            "NAME",
            "one of them alone",
            {"latency", "throughput", "coldstart", "memory"}},
           BackendFlag(&flags->backend),
           PrecisionFlag(&flags->precision),
           ThreadsFlag(&flags->threads),
           {"--run-threads", IntFlag{&flags->run_threads, 1, 1024}, "N", "cores that one run of latency uses (1)"},
           {"--shapes", &flags->shapes, "LIST", "of latency, such as 1x16,8x128: sequences x tokens"},
           {"--seconds", RealFlag{&flags->seconds, 0.05, 3600}, "N",
            "to measure each row of latency and throughput for (2)"},
           {"--report", &flags->report, "OUT.json", "write the report as JSON, too"},
           {"--json", &flags->json, "", "JSON instead of a table"}},
      .run = [flags] { return RunBench(*flags); }};
}

}  // namespace ks
