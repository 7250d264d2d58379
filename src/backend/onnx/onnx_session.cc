// Tested by onnx_backend_test.cc.
#include "backend/onnx/onnx_session.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "base/mapped_file.h"
#include "base/status.h"
#include "base/status_macros.h"

namespace ks {
namespace {

constexpr const char* kInputNames[] = {"input_ids", "offsets", "token_type_ids"};
constexpr const char* kOutputName = "logits";

// Where a graph that comes as bytes has its weights.
constexpr const char* kWeightsFolderOption = "session.model_external_initializers_file_folder_path";
constexpr size_t kMaxGraphBytes = 64 << 20;  // of a graph without its weights: 1000 times what ours have

absl::StatusOr<OrtHandle<OrtSessionOptions>> MakeOptions(const SessionOptions& wanted, const Operators& operators) {
  KS_ASSIGN_OR_RETURN(OrtHandle<OrtSessionOptions> options,
                      MakeOrt<OrtSessionOptions>(
                          "session options", [](OrtSessionOptions** out) { return Ort().CreateSessionOptions(out); }));
  const auto check = [](OrtStatus* status) { return ToStatus(status, "session options"); };
  // The graph is written as it should run; the optimiser would cost start-up time and fuse it back into slower nodes.
  KS_RETURN_IF_ERROR(check(Ort().SetSessionGraphOptimizationLevel(options.get(), ORT_DISABLE_ALL)));
  KS_RETURN_IF_ERROR(check(Ort().SetIntraOpNumThreads(options.get(), wanted.pool_threads)));
  KS_RETURN_IF_ERROR(check(Ort().SetInterOpNumThreads(options.get(), 1)));
  // Every batch has another T; a plan of memory for each would only pile up.
  KS_RETURN_IF_ERROR(check(Ort().DisableMemPattern(options.get())));
  KS_RETURN_IF_ERROR(check(Ort().AddSessionConfigEntry(options.get(), "session.intra_op.allow_spinning", "0")));
  if (!wanted.prepack) {
    KS_RETURN_IF_ERROR(check(Ort().AddSessionConfigEntry(options.get(), "session.disable_prepacking", "1")));
  }
  KS_RETURN_IF_ERROR(check(Ort().AddCustomOpDomain(options.get(), operators.domain())));
  return options;
}

struct FloatTensor {
  std::vector<int64_t> shape;
  std::span<const float> values;
};

absl::StatusOr<FloatTensor> ReadFloats(const OrtValue* value, std::string_view what) {
  FloatTensor tensor;
  KS_ASSIGN_OR_RETURN(const OrtHandle<OrtTensorTypeAndShapeInfo> info,
                      MakeOrt<OrtTensorTypeAndShapeInfo>(what, [&](OrtTensorTypeAndShapeInfo** out) {
                        return Ort().GetTensorTypeAndShape(value, out);
                      }));
  size_t rank = 0;
  KS_RETURN_IF_ERROR(ToStatus(Ort().GetDimensionsCount(info.get(), &rank), what));
  tensor.shape.resize(rank);
  KS_RETURN_IF_ERROR(ToStatus(Ort().GetDimensions(info.get(), tensor.shape.data(), rank), what));
  size_t count = 0;
  KS_RETURN_IF_ERROR(ToStatus(Ort().GetTensorShapeElementCount(info.get(), &count), what));
  const void* data = nullptr;
  KS_RETURN_IF_ERROR(
      ToStatus(Ort().GetTensorMutableData(const_cast<OrtValue*>(value), const_cast<void**>(&data)), what));
  tensor.values = {static_cast<const float*>(data), count};
  return tensor;
}

// The runtime has one code for most of what it finds wrong in a graph or in the file of its weights.
absl::Status OpeningError(const absl::Status& status) {
  if (!absl::IsInternal(status) && !absl::IsDataLoss(status)) return status;
  const bool is_unknown = absl::StrContains(status.message(), "is not a registered function/op");
  return DataLoss(ToStd(status.message()),
                  is_unknown ? ": made by another version of this program, to be converted again" : "");
}

}  // namespace

absl::StatusOr<std::shared_ptr<const OnnxSession>> OnnxSession::Open(const std::filesystem::path& graph,
                                                                     const ClassifierSpec& spec,
                                                                     const SessionOptions& options) {
  return Open(graph, /*tapped=*/false, spec, options);
}

absl::StatusOr<std::shared_ptr<const OnnxSession>> OnnxSession::OpenTapped(const std::filesystem::path& graph,
                                                                           const ClassifierSpec& spec,
                                                                           const SessionOptions& options) {
  return Open(graph, /*tapped=*/true, spec, options);
}

absl::StatusOr<std::shared_ptr<const OnnxSession>> OnnxSession::Open(const std::filesystem::path& graph, bool tapped,
                                                                     const ClassifierSpec& spec,
                                                                     const SessionOptions& options) {
  // The runtime looks for the weights beside the path it is given and refuses those outside: give it the real one.
  std::error_code error;
  const std::filesystem::path path = std::filesystem::canonical(graph, error);
  if (error) return ErrnoStatus(error.value(), graph.string());

  std::shared_ptr<OnnxSession> session;
  try {
    session.reset(new OnnxSession(options.team));
  } catch (const std::system_error& no_threads) {
    return ResourceExhausted("a team of ", options.team, " threads: ", no_threads.what());
  }
  session->has_token_types_ = spec.encoder.type_vocab_size > 0;
  session->classes_ = spec.num_labels();
  KS_ASSIGN_OR_RETURN(session->environment_, AcquireOrtEnvironment());
  KS_ASSIGN_OR_RETURN(
      session->operators_,
      Operators::Create({.team = &session->team_, .pool_threads = options.pool_threads, .isa = options.isa}));
  KS_ASSIGN_OR_RETURN(session->memory_, MakeOrt<OrtMemoryInfo>("memory info", [](OrtMemoryInfo** out) {
                        return Ort().CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, out);
                      }));
  KS_ASSIGN_OR_RETURN(const OrtHandle<OrtSessionOptions> ort_options, MakeOptions(options, *session->operators_));
  std::string model;
  if (tapped) {
    KS_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxGraphBytes));
    KS_ASSIGN_OR_RETURN(model, TapGraph(bytes, spec.encoder, path.string()));
    session->taps_ = HiddenStates(spec.encoder);
    KS_RETURN_IF_ERROR(ToStatus(
        Ort().AddSessionConfigEntry(ort_options.get(), kWeightsFolderOption, path.parent_path().c_str()), "options"));
  }
  auto created = MakeOrt<OrtSession>(path.string(), [&](OrtSession** out) {
    OrtEnv* const environment = session->environment_.get();
    return tapped ? Ort().CreateSessionFromArray(environment, model.data(), model.size(), ort_options.get(), out)
                  : Ort().CreateSession(environment, path.c_str(), ort_options.get(), out);
  });
  if (!created.ok()) return OpeningError(created.status());
  session->session_ = *std::move(created);
  KS_RETURN_IF_ERROR(WithContext(session->CheckInputs(), path.string()));
  return session;
}

absl::Status OnnxSession::CheckInputs() const {
  size_t count = 0;
  KS_RETURN_IF_ERROR(ToStatus(Ort().SessionGetInputCount(session_.get(), &count), "input count"));
  OrtAllocator* allocator = nullptr;
  KS_RETURN_IF_ERROR(ToStatus(Ort().GetAllocatorWithDefaultOptions(&allocator), "allocator"));
  std::vector<std::string> found(count);
  for (size_t i = 0; i < count; ++i) {
    char* name = nullptr;
    KS_RETURN_IF_ERROR(ToStatus(Ort().SessionGetInputName(session_.get(), i, allocator, &name), "input name"));
    found[i] = name;
    KS_RETURN_IF_ERROR(ToStatus(Ort().AllocatorFree(allocator, name), "input name"));
  }
  const std::vector<std::string> expected(kInputNames, kInputNames + (has_token_types_ ? 3 : 2));
  if (found == expected) return absl::OkStatus();
  return DataLoss("the graph's inputs are ", absl::StrJoin(found, ", "), ", expected ", absl::StrJoin(expected, ", "));
}

absl::StatusOr<OrtHandle<OrtValue>> OnnxSession::View(std::span<const int32_t> values) const {
  const int64_t size = static_cast<int64_t>(values.size());
  return MakeOrt<OrtValue>("input", [&](OrtValue** out) {
    // Inputs are only read, whatever the parameter's type says.
    return Ort().CreateTensorWithDataAsOrtValue(memory_.get(), const_cast<int32_t*>(values.data()), values.size_bytes(),
                                                &size, 1, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32, out);
  });
}

absl::StatusOr<std::vector<OrtHandle<OrtValue>>> OnnxSession::Outputs(const PackedBatch& batch) const {
  team_.Rouse();  // while the runtime begins and the embeddings are looked up
  KS_ASSIGN_OR_RETURN(const OrtHandle<OrtValue> ids, View(batch.input_ids));
  KS_ASSIGN_OR_RETURN(const OrtHandle<OrtValue> offsets, View(batch.offsets));
  OrtHandle<OrtValue> types;
  if (has_token_types_) {
    KS_ASSIGN_OR_RETURN(types, View(batch.token_type_ids));
  }
  const OrtValue* const inputs[] = {ids.get(), offsets.get(), types.get()};
  std::vector<const char*> names = {kOutputName};
  for (const HiddenState& tap : taps_) names.push_back(tap.value.c_str());
  std::vector<OrtValue*> values(names.size());
  const absl::Status status = ToStatus(Ort().Run(session_.get(), nullptr, kInputNames, inputs, has_token_types_ ? 3 : 2,
                                                 names.data(), names.size(), values.data()),
                                       "ONNX Runtime");
  std::vector<OrtHandle<OrtValue>> outputs(values.begin(), values.end());
  if (!status.ok()) return status;
  return outputs;
}

absl::StatusOr<Logits> OnnxSession::ReadLogits(const OrtValue* value, int sequences) const {
  KS_ASSIGN_OR_RETURN(const FloatTensor logits, ReadFloats(value, kOutputName));
  if (logits.shape != std::vector<int64_t>{sequences, classes_}) {
    return Internal("the graph returned logits of shape [", absl::StrJoin(logits.shape, ", "), "], expected [",
                    sequences, ", ", classes_, "]");
  }
  const auto nan =
      std::find_if(logits.values.begin(), logits.values.end(), [](float number) { return std::isnan(number); });
  if (nan != logits.values.end()) {
    return Internal("the logits of sequence ", (nan - logits.values.begin()) / classes_, " are not numbers");
  }
  return Logits{.values = {logits.values.begin(), logits.values.end()}, .sequences = sequences, .classes = classes_};
}

absl::StatusOr<Logits> OnnxSession::Run(const PackedBatch& batch) const {
  KS_ASSIGN_OR_RETURN(const std::vector<OrtHandle<OrtValue>> outputs, Outputs(batch));
  return ReadLogits(outputs.front().get(), batch.sequences());
}

absl::StatusOr<Logits> OnnxSession::RunTraced(const PackedBatch& batch, const Backend::TapSink& sink) const {
  KS_ASSIGN_OR_RETURN(const std::vector<OrtHandle<OrtValue>> outputs, Outputs(batch));
  for (size_t i = 0; i < taps_.size(); ++i) {
    KS_ASSIGN_OR_RETURN(const FloatTensor hidden, ReadFloats(outputs[i + 1].get(), taps_[i].tap));
    if (hidden.shape.size() != 2) {
      return Internal(taps_[i].value, " has ", hidden.shape.size(), " axes, expected tokens and width");
    }
    sink({.tap = taps_[i].tap, .hidden = hidden.values, .width = static_cast<int>(hidden.shape[1])});
  }
  return ReadLogits(outputs.front().get(), batch.sequences());
}

}  // namespace ks
