// Tested by onnx_backend_test.cc.
#include "backend/onnx/onnx_backend.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "absl/strings/str_join.h"
#include "backend/onnx/onnx_session.h"
#include "base/status.h"
#include "base/status_macros.h"

namespace ks {
namespace {

absl::Status NotAnIsa(std::string_view name) {
  std::vector<std::string> supported;
  for (const IsaLevel isa : SupportedIsas()) supported.emplace_back(IsaName(isa));
  return InvalidArgument("isa is ", name, ", expected one that this CPU has: ", absl::StrJoin(supported, ", "));
}

// What takes some 1 ms of the default model on one core, most of it products.
int LeastRunTokens(std::string_view precision, IsaLevel isa) {
  return precision == "int8" && isa == IsaLevel::kAvx512Amx ? 64 : 32;
}

}  // namespace

// Where the session came from, shared by the group.
struct OnnxBackend::Source {
  std::filesystem::path graph;  // canonical
  ClassifierSpec spec;
  SessionOptions options;
};

OnnxBackend::OnnxBackend(BackendFacts facts, std::shared_ptr<const Source> source,
                         std::shared_ptr<const OnnxSession> session)
    : facts_(std::move(facts)), source_(std::move(source)), session_(std::move(session)), zeros_(facts_.max_tokens) {}

absl::StatusOr<std::optional<IsaLevel>> IsaOption(std::string_view name) {
  if (name == "auto") return std::nullopt;
  if (const std::optional<IsaLevel> isa = IsaFromName(name)) return isa;
  return NotAnIsa(name);
}

OnnxBackend::~OnnxBackend() = default;

absl::StatusOr<std::vector<std::unique_ptr<Backend>>> OnnxBackend::OpenGroup(std::shared_ptr<const Package> package,
                                                                             const OnnxOptions& options, int count) {
  const Manifest& manifest = package->manifest();
  if (!package->HasPrecision(options.precision)) {
    return FailedPrecondition(package->directory().string(), ": no precision ", options.precision, ", it has ",
                              absl::StrJoin(package->precisions(), ", "));
  }
  const char* graph = options.precision == "int8" ? kInt8GraphFile : kFp32GraphFile;
  return OpenGraph(package->directory() / graph, manifest.spec, manifest.window, options, count);
}

absl::StatusOr<std::unique_ptr<Backend>> OnnxBackend::Open(std::shared_ptr<const Package> package,
                                                           const OnnxOptions& options) {
  KS_ASSIGN_OR_RETURN(std::vector<std::unique_ptr<Backend>> group, OpenGroup(std::move(package), options, 1));
  return std::move(group.front());
}

absl::StatusOr<std::vector<std::unique_ptr<Backend>>> OnnxBackend::OpenGraph(const std::filesystem::path& graph,
                                                                             const ClassifierSpec& spec, int window,
                                                                             const OnnxOptions& options, int count) {
  KS_RETURN_IF_ERROR(CheckGroup(count, options.threads, options.max_tokens, window));
  const bool has_team = options.precision == "int8";
  if (has_team && options.threads > 1 && count > 1) {
    return InvalidArgument("threads is ", options.threads, " for a group of ", count,
                           " int8 backends, expected 1: they share a session, whose team takes one run at a time");
  }
  if (options.isa.has_value() && !IsSupported(*options.isa)) return NotAnIsa(IsaName(*options.isa));
  const SessionOptions session_options = {.team = has_team ? options.threads : 1,
                                          .pool_threads = has_team ? 1 : options.threads,
                                          .prepack = options.prepack,
                                          .isa = options.isa.value_or(BestIsa())};
  KS_ASSIGN_OR_RETURN(const std::shared_ptr<const OnnxSession> session,
                      OnnxSession::Open(graph, spec, session_options));
  std::error_code error;
  const auto source =
      std::make_shared<const Source>(Source{std::filesystem::canonical(graph, error), spec, session_options});
  if (error) return ErrnoStatus(error.value(), graph.string());
  const BackendFacts facts = {.name = "onnx",
                              .precision = options.precision,
                              .max_tokens = options.max_tokens,
                              .max_tokens_per_sequence = window,
                              .classes = spec.num_labels(),
                              .pad_id = spec.encoder.pad_id,
                              .pads = false,
                              .threads = options.threads,
                              .least_run_tokens = LeastRunTokens(options.precision, session_options.isa)};
  std::vector<std::unique_ptr<Backend>> group;
  for (int i = 0; i < count; ++i) {
    group.push_back(std::unique_ptr<Backend>(new OnnxBackend(facts, source, session)));
  }
  return group;
}

absl::StatusOr<PackedBatch> OnnxBackend::Complete(const PackedBatch& batch) const {
  const EncoderSpec& encoder = source_->spec.encoder;
  KS_RETURN_IF_ERROR(CheckBatch(batch, facts_, encoder.vocab_size));
  KS_RETURN_IF_ERROR(CheckTokenTypes(batch, encoder.type_vocab_size));
  PackedBatch full = batch;
  if (full.token_type_ids.empty()) full.token_type_ids = std::span(zeros_).first(full.input_ids.size());
  return full;
}

absl::StatusOr<Logits> OnnxBackend::Run(const PackedBatch& batch) {
  KS_ASSIGN_OR_RETURN(const PackedBatch full, Complete(batch));
  return session_->Run(full);
}

absl::StatusOr<Logits> OnnxBackend::RunTraced(const PackedBatch& batch, const TapSink& sink) {
  KS_ASSIGN_OR_RETURN(const PackedBatch full, Complete(batch));
  if (traced_session_ == nullptr) {
    KS_ASSIGN_OR_RETURN(traced_session_, OnnxSession::OpenTapped(source_->graph, source_->spec, source_->options));
  }
  return traced_session_->RunTraced(full, sink);
}

std::string_view OnnxRuntimeVersion() { return OrtGetApiBase()->GetVersionString(); }

}  // namespace ks
