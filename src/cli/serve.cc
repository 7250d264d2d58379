// `serve`: settings, model, engine, HTTP, and the way down again. This thread waits for signals; all others have them
// blocked, so that no handler runs in the middle of anything.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "backend/onnx/onnx_backend.h"
#include "backend/onnx/onnx_environment.h"
#include "base/cpu.h"
#include "base/huge_pages.h"
#include "base/mapped_file.h"
#include "base/status_macros.h"
#include "base/step_times.h"
#include "base/thread.h"
#include "base/version.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/config_backends.h"
#include "cli/start_log.h"
#include "engine/load_served.h"
#include "kernels/dispatch.h"
#include "serving/http/app.h"
#include "serving/http/server.h"
#include "serving/service.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"
#include "telemetry/trace/otlp_http.h"
#include "telemetry/trace/tracer.h"

namespace ks {
namespace {

constexpr size_t kMaxKeyFileBytes = 4096;
// For answers that are ready to reach their clients after the last request is done.
constexpr Duration kLeastStopGrace = std::chrono::seconds(1);

struct Flags {
  ConfigSources sources;
  bool print_config = false;
};

struct Failure {
  absl::Status status;
  ExitCode code;
};

// One line of a file: the key, without what ends the line.
absl::StatusOr<std::string> ReadKey(const std::string& path) {
  if (path.empty()) return "";
  KS_ASSIGN_OR_RETURN(std::string key, ReadFile(path, kMaxKeyFileBytes));
  while (key.ends_with('\n') || key.ends_with('\r')) key.pop_back();
  const bool printable = std::ranges::all_of(key, [](char c) { return c > 0x20 && c < 0x7F; });
  if (key.empty() || !printable) {
    return DataLoss("api-key-file: ", path, ": expected one line of printable characters without spaces");
  }
  return key;
}

// --- Signals ---

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// From now on one more of them ends the process at once. A handler rather than the default: the first process of a
// container has no defaults.
void LetSignalsEndProcess() {
  struct sigaction action = {};
  action.sa_handler = [](int) { _exit(kExitFailed); };
  const sigset_t signals = StopSignals();
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

// --- The server ---

// Everything that serves, in the order in which it has to be taken down (backwards).
class Server {
 public:
  Server(const LoadedConfig& config, StepTimes steps)
      : config_(config.values),
        steps_(std::move(steps)),
        environment_(UsesOnnx(config_) ? std::make_unique<OnnxEnvironment>() : nullptr),
        log_(*ParseLogLevel(config_.log_level)) {
    metrics_.AddLog(log_);
    for (const std::string& warning : config.warnings) log_.Warning(warning);
  }
  ~Server() {
    after_ready_stop_.request_stop();
    if (after_ready_ != nullptr) after_ready_->Join();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Loads, listens, and says that it is ready.
  std::optional<Failure> Start() {
    const absl::StatusOr<std::string> key = ReadKey(config_.api_key_file);
    if (!key.ok()) return Failure{key.status(), kExitUnreadable};
    Done("threads");
    if (const absl::Status loaded = Load(); !loaded.ok()) return Failure{loaded, kExitUnreadable};
    const Manifest& manifest = loaded_.model->manifest();
    const int special_tokens = loaded_.model->tokenizer().special_tokens_added(false);
    if (const absl::Status checked = CheckConfigWithModel(config_, manifest.window, special_tokens); !checked.ok()) {
      return Failure{checked, ExitCodeOf(checked)};
    }
    if (const absl::Status started = StartEngine(); !started.ok()) return Failure{started, ExitCodeOf(started)};
    Done("engine");
    if (const absl::Status listening = Listen(*key); !listening.ok()) return Failure{listening, kExitFailed};

    service_->SetReady();
    Done("listen");
    metrics_.SetColdStart(steps_.last() - steps_.began());
    LogReady();
    return std::nullopt;
  }

  // Begins what no answer needs. Not at once: it takes a core for a tenth of a second, which the first requests have a
  // use for.
  void BeginAfterReady() {
    if (after_ready_ == nullptr) after_ready_ = std::make_unique<Thread>("after-ready", [this] { DoAfterReady(); });
  }

  // Compares the limits with what the engine has measured, once it has. True when that is done.
  bool CheckRate() {
    const double tokens_per_second = engine_->state().tokens_per_second;
    if (tokens_per_second <= 0) return false;
    if (const auto warning = RateWarning(config_, tokens_per_second)) {
      log_.Warning(*warning);
      service_->AddWarning(*warning);
    }
    return true;
  }

  // Stops as `signal` asks: SIGTERM comes from whoever also takes us out of a load balancer, and that takes time. True
  // if every admitted request was answered.
  bool Stop(int signal) {
    const Duration delay = signal == SIGTERM ? config_.drain_delay : Duration(0);
    log_.Info("stopping",
              {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}, {"drain_delay_ms", Milliseconds(delay)}});
    service_->BeginDrain();
    std::this_thread::sleep_for(delay);
    const TimePoint drain_began = SystemClock().Now();
    const bool all_answered = engine_->Drain(config_.drain_timeout);
    const Duration left = config_.drain_timeout - (SystemClock().Now() - drain_began);
    http_->Stop(std::max(left, kLeastStopGrace));
    log_.Info("stopped", {{"all_answered", all_answered}});
    return all_answered;
  }

 private:
  absl::Status Load() {
    const std::filesystem::path directory = config_.model;
    if (config_.verify) {
      KS_ASSIGN_OR_RETURN(const auto package, Package::Open(directory));
      KS_RETURN_IF_ERROR(package->Verify());
    }
    LoadOptions options = LoadOptionsOf(config_);
    options.step_done = [this](std::string_view step) { Done(step); };
    KS_ASSIGN_OR_RETURN(
        loaded_, LoadModel(directory, options, [this](std::shared_ptr<const Package> package, const BackendPlan& plan) {
          if (environment_ != nullptr && plan.backend == "onnx") {
            environment_->Wait();
            Done("environment");
          }
          return OpenServedBackends(std::move(package), plan);
        }));
    return absl::OkStatus();
  }

  absl::Status StartEngine() {
    const Manifest& manifest = loaded_.model->manifest();
    ModelSeries series = {.model = manifest.name, .labels = manifest.spec.labels, .backends = {}};
    for (const LoadedGroup& group : loaded_.groups) series.backends.push_back(group.plan.backend);
    model_metrics_ = &metrics_.AddModel(series);
    for (size_t g = 0; g < loaded_.groups.size(); ++g) {
      const LoadedGroup& group = loaded_.groups[g];
      model_metrics_->SetLoadTime(static_cast<int>(g), group.load_time);
      if (!group.int8_failure.ok()) {
        log_.Error("int8 failed, fp32 runs instead",
                   {{"backend", group.plan.backend}, {"cause", ToStd(group.int8_failure.message())}});
      }
    }
    const LoadedGroup& first = loaded_.groups.front();
    model_metrics_->SetActivePrecision(first.plan.precision, first.precision_reason);
    if (config_.verify) model_metrics_->SetPackageVerified(true);
    const EngineOptions options = {.max_queue_tokens = config_.max_queue_tokens,
                                   .max_batch_tokens = static_cast<int>(config_.max_batch_tokens),
                                   .default_deadline = config_.default_deadline,
                                   .stall_timeout = config_.stall_timeout,
                                   .routing = RoutingOf(config_)};
    KS_ASSIGN_OR_RETURN(engine_, Engine::Create(loaded_.model, options, *model_metrics_, SystemClock()));
    ModelDescription description = DescribeModel(*loaded_.model, options.routing);
    description.precision_reason = first.precision_reason;
    const PreferHugePages prefer_huge_pages;  // for the predictions it will remember, 1.5 MB
    service_ = std::make_unique<Service>(*engine_, *model_metrics_, std::move(description),
                                         ServiceOptions{.max_text_chars = static_cast<int>(config_.max_text_chars),
                                                        .max_batch_texts = static_cast<int>(config_.max_batch_texts)},
                                         SystemClock());
    return absl::OkStatus();
  }

  absl::Status StartTraces() {
    if (config_.otlp_endpoint.empty()) return absl::OkStatus();
    KS_ASSIGN_OR_RETURN(const HttpUrl url, ParseOtlpEndpoint(config_.otlp_endpoint));
    exporter_ = std::make_unique<SpanExporter>(SendOverHttp(url, config_.trace_service_name, std::string(Version())),
                                               SpanExporter::Options{}, log_, SystemClock());
    metrics_.AddTraces(*exporter_);
    tracer_ = std::make_unique<Tracer>(
        config_.trace_sample_ratio,
        [exporter = exporter_.get()](std::string_view spans, int count) { exporter->Add(spans, count); },
        SystemClock());
    return absl::OkStatus();
  }

  absl::Status Listen(const std::string& key) {
    KS_RETURN_IF_ERROR(StartTraces());
    app_ = std::make_unique<App>(*service_, metrics_, log_,
                                 AppOptions{.api_key = key,
                                            .protect_metrics = config_.protect_metrics,
                                            .access_log = config_.access_log,
                                            .max_body_bytes = static_cast<size_t>(config_.max_body_bytes),
                                            .tracer = tracer_.get()});
    KS_ASSIGN_OR_RETURN(http_, HttpServer::Start({.listen = config_.listen,
                                                  .io_threads = io_threads(),
                                                  .max_header_bytes = static_cast<size_t>(config_.max_header_bytes),
                                                  .header_timeout = config_.header_timeout,
                                                  .body_timeout = config_.body_timeout,
                                                  .idle_timeout = config_.idle_timeout,
                                                  .max_connections = static_cast<int>(config_.max_connections)},
                                                 *app_));
    return absl::OkStatus();
  }

  // Parsing and tokenising take a few percent of what running the model takes.
  int io_threads() const { return std::max(1, loaded_.plan.workers / 8); }

  void Done(std::string_view step) { steps_.Done(step, SystemClock().Now()); }

  void LogReady() {
    OnnxEnvironment::Times ahead;
    if (environment_ != nullptr) ahead = environment_->Finish();
    LogStart(log_, steps_, {{"onnx_environment", ahead.environment}, {"onnx_kernels", ahead.kernels}});
    const Manifest& manifest = loaded_.model->manifest();
    for (const LoadedGroup& group : loaded_.groups) {
      const std::string& name = group.plan.backend;
      log_.Info("backend", {{"backend", name},
                            {"default", name == config_.backend},
                            {"canary_share", name == config_.canary_backend ? config_.canary_share : 0.0},
                            {"shadow_share", name == config_.shadow_backend ? config_.shadow_share : 0.0},
                            {"precision", group.plan.precision},
                            {"precision_reason", group.precision_reason},
                            {"workers", group.plan.workers},
                            {"threads_per_worker", group.plan.threads_per_worker},
                            {"load_ms", Milliseconds(group.load_time)}});
    }
    log_.Info("threads", {{"cores", EffectiveCores()},
                          {"requested", config_.threads},
                          {"io_threads", io_threads()},
                          {"tokens_per_run", engine_->options().run_tokens},
                          {"cpu", CpuModelName()},
                          {"isa", IsaName(IsaFromName(config_.isa).value_or(BestIsa()))}});
    if (exporter_ != nullptr) {
      log_.Info("traces", {{"endpoint", config_.otlp_endpoint},
                           {"sample_ratio", config_.trace_sample_ratio},
                           {"service_name", config_.trace_service_name}});
    }
    log_.Info("ready", {{"address", http_->address()},
                        {"model", manifest.name},
                        {"package", loaded_.model->package()->directory().string()},
                        {"backend", config_.backend},
                        {"precision", loaded_.plan.precision},
                        {"window", manifest.window},
                        {"version", Version()},
                        {"load_ms", Milliseconds(loaded_.load_time)},
                        {"cold_start_ms", Milliseconds(steps_.last() - steps_.began())}});
  }

  void DoAfterReady() {
    for (size_t g = 0; g < loaded_.groups.size(); ++g) OpenAllCores(g);
    if (environment_ != nullptr) DropOnnxStartCode();
    if (!config_.verify) VerifyInBackground();
  }

  void VerifyInBackground() {
    const absl::Status verified = loaded_.model->package()->Verify(after_ready_stop_.get_token());
    if (absl::IsCancelled(verified)) return;
    model_metrics_->SetPackageVerified(verified.ok());
    if (verified.ok()) {
      log_.Info("package verified");
      return;
    }
    const std::string reason(verified.message());
    log_.Error("the package is damaged", {{"reason", reason}});
    service_->SetUnready(reason);
  }

  // Without it the server answers as well, one core a text.
  void OpenAllCores(size_t group) {
    const TimePoint start = SystemClock().Now();
    const std::string& name = loaded_.groups[group].plan.backend;
    absl::StatusOr<std::unique_ptr<Backend>> wide = OpenServedWide(loaded_, group);
    if (wide.ok() && *wide == nullptr) return;
    const int threads = wide.ok() ? (*wide)->facts().threads : 0;
    const absl::Status added = wide.ok() ? engine_->AddWide(name, *std::move(wide)) : wide.status();
    if (!added.ok()) {
      log_.Error("no run on all cores", {{"backend", name}, {"cause", ToStd(added.message())}});
      return;
    }
    log_.Info("wide backend",
              {{"backend", name}, {"threads", threads}, {"load_ms", Milliseconds(SystemClock().Now() - start)}});
  }

  const ServeConfig config_;
  StepTimes steps_;
  const std::unique_ptr<OnnxEnvironment> environment_;  // made first: no other thread may run yet
  Log log_;
  Metrics metrics_{Metrics::BuildLabels{{"onnxruntime", std::string(OnnxRuntimeVersion())}}};
  std::unique_ptr<SpanExporter> exporter_;  // sends what is left when it goes, and the log is there to say so
  std::unique_ptr<Tracer> tracer_;
  ModelMetrics* model_metrics_ = nullptr;
  LoadedModel loaded_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<App> app_;
  std::unique_ptr<HttpServer> http_;
  std::stop_source after_ready_stop_;
  std::unique_ptr<Thread> after_ready_;
};

// Waits for a signal to stop and returns it.
int WaitForStop(const sigset_t& signals, Server& server) {
  constexpr timespec kBetweenLooks = {.tv_sec = 1, .tv_nsec = 0};
  for (bool rate_checked = false; !rate_checked;) {
    const int received = sigtimedwait(&signals, nullptr, &kBetweenLooks);
    if (received > 0) return received;
    server.BeginAfterReady();
    rate_checked = server.CheckRate();
  }
  int received = 0;
  while (sigwait(&signals, &received) != 0) continue;
  return received;
}

int RunServe(const Flags& flags, TimePoint started) {
  StepTimes steps(started);
  steps.Done("arguments", SystemClock().Now());
  ServeConfig defaults;
  defaults.model = ModelPath("").string();
  ConfigSources sources = flags.sources;
  for (char** variable = environ; *variable != nullptr; ++variable) sources.environment.emplace_back(*variable);
  const absl::StatusOr<LoadedConfig> config = LoadConfig(defaults, sources);
  if (!config.ok()) return Fail(config.status());
  if (flags.print_config) {
    for (const std::string& warning : config->warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
    std::fputs(PrintConfig(*config).c_str(), stdout);
    return kExitDone;
  }
  if (const absl::Status checked = CheckConfig(config->values); !checked.ok()) return Fail(checked);

  // Before the first thread: all inherit the mask. A client that goes away is no reason to end.
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  steps.Done("config", SystemClock().Now());

  Server server(*config, std::move(steps));
  if (const auto failure = server.Start()) return Fail(failure->status, failure->code);
  const int received = WaitForStop(signals, server);
  LetSignalsEndProcess();
  return server.Stop(received) ? kExitDone : kExitFailed;
}

}  // namespace

Command ServeCommand(TimePoint started) {
  auto flags = std::make_shared<Flags>();
  Command command = {
      .name = "serve",
      .summary = "Answers requests over HTTP. Every option is also a KS_ variable and a key of the file",
      .flags = {{.name = "--config",
                 .target = TextHandler([flags](std::string path) { flags->sources.file = std::move(path); }),
                 .placeholder = "FILE.toml",
                 .meaning = "settings in TOML, with the names below as flat keys"},
                {"--print-config", &flags->print_config, "", "show the settings in force and their sources, and end"}},
      .run = [flags, started] { return RunServe(*flags, started); }};
  const ServeConfig defaults;
  for (const ConfigOption& option : ConfigOptions()) {
    const std::string name(option.name);
    const std::string value = FormatValue(option, defaults);
    const bool is_switch = std::holds_alternative<SwitchOption>(option.kind);
    command.flags.push_back({.name = "--" + name,
                             .target = TextHandler([flags, name](std::string text) {
                               flags->sources.flags.emplace_back(name, std::move(text));
                             }),
                             .placeholder = is_switch ? "" : "VALUE",
                             .meaning = Cat(option.meaning, value.empty() ? "" : Cat(" (", value, ")")),
                             .is_switch = is_switch});
  }
  return command;
}

}  // namespace ks
