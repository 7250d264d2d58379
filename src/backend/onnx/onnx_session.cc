// Tested by onnx_backend_test.cc.
#include "backend/onnx/onnx_session.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "base/status.h"
#include "base/status_macros.h"

namespace ks {
namespace {

constexpr const char* kInputNames[] = {"input_ids", "offsets", "token_type_ids"};
constexpr const char* kOutputName = "logits";

absl::StatusOr<OrtHandle<OrtSessionOptions>> MakeOptions(const SessionOptions& wanted, const Operators& operators) {
  KS_ASSIGN_OR_RETURN(OrtHandle<OrtSessionOptions> options,
                      MakeOrt<OrtSessionOptions>(
                          "session options", [](OrtSessionOptions** out) { return Ort().CreateSessionOptions(out); }));
  const auto check = [](OrtStatus* status) { return ToStatus(status, "session options"); };
  // The graph is written as it should run; the optimiser would cost start-up time and fuse it back into slower nodes.
  KS_RETURN_IF_ERROR(check(Ort().SetSessionGraphOptimizationLevel(options.get(), ORT_DISABLE_ALL)));
  KS_RETURN_IF_ERROR(check(Ort().SetIntraOpNumThreads(options.get(), wanted.threads)));
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

// The runtime has one code for most of what it finds wrong in a graph or in the file of its weights.
absl::Status OpeningError(const absl::Status& status) {
  return absl::IsInternal(status) ? absl::DataLossError(status.message()) : status;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const OnnxSession>> OnnxSession::Open(const std::filesystem::path& graph,
                                                                     const ClassifierSpec& spec,
                                                                     const SessionOptions& options) {
  // The runtime looks for the weights beside the path it is given and refuses those outside: give it the real one.
  std::error_code error;
  const std::filesystem::path path = std::filesystem::canonical(graph, error);
  if (error) return ErrnoStatus(error.value(), graph.string());

  std::shared_ptr<OnnxSession> session(new OnnxSession());
  session->has_token_types_ = spec.encoder.type_vocab_size > 0;
  session->classes_ = spec.num_labels();
  KS_ASSIGN_OR_RETURN(session->environment_, AcquireOrtEnvironment());
  KS_ASSIGN_OR_RETURN(session->operators_, Operators::Create({.threads = options.threads, .isa = options.isa}));
  KS_ASSIGN_OR_RETURN(session->memory_, MakeOrt<OrtMemoryInfo>("memory info", [](OrtMemoryInfo** out) {
                        return Ort().CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, out);
                      }));
  KS_ASSIGN_OR_RETURN(const OrtHandle<OrtSessionOptions> ort_options, MakeOptions(options, *session->operators_));
  auto created = MakeOrt<OrtSession>(path.string(), [&](OrtSession** out) {
    return Ort().CreateSession(session->environment_.get(), path.c_str(), ort_options.get(), out);
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

absl::StatusOr<Logits> OnnxSession::Run(const PackedBatch& batch) const {
  KS_ASSIGN_OR_RETURN(const OrtHandle<OrtValue> ids, View(batch.input_ids));
  KS_ASSIGN_OR_RETURN(const OrtHandle<OrtValue> offsets, View(batch.offsets));
  OrtHandle<OrtValue> types;
  if (has_token_types_) {
    KS_ASSIGN_OR_RETURN(types, View(batch.token_type_ids));
  }
  const OrtValue* const inputs[] = {ids.get(), offsets.get(), types.get()};
  KS_ASSIGN_OR_RETURN(const OrtHandle<OrtValue> output, MakeOrt<OrtValue>("ONNX Runtime", [&](OrtValue** out) {
                        return Ort().Run(session_.get(), nullptr, kInputNames, inputs, has_token_types_ ? 3 : 2,
                                         &kOutputName, 1, out);
                      }));

  KS_ASSIGN_OR_RETURN(const OrtHandle<OrtTensorTypeAndShapeInfo> info,
                      MakeOrt<OrtTensorTypeAndShapeInfo>("logits", [&](OrtTensorTypeAndShapeInfo** out) {
                        return Ort().GetTensorTypeAndShape(output.get(), out);
                      }));
  size_t rank = 0;
  KS_RETURN_IF_ERROR(ToStatus(Ort().GetDimensionsCount(info.get(), &rank), "logits"));
  std::vector<int64_t> shape(rank);
  KS_RETURN_IF_ERROR(ToStatus(Ort().GetDimensions(info.get(), shape.data(), rank), "logits"));
  if (shape != std::vector<int64_t>{batch.sequences(), classes_}) {
    return Internal("the graph returned logits of shape [", absl::StrJoin(shape, ", "), "], expected [",
                    batch.sequences(), ", ", classes_, "]");
  }
  void* data = nullptr;
  KS_RETURN_IF_ERROR(ToStatus(Ort().GetTensorMutableData(output.get(), &data), "logits"));
  const std::span values(static_cast<const float*>(data), static_cast<size_t>(batch.sequences()) * classes_);
  const auto nan = std::find_if(values.begin(), values.end(), [](float value) { return std::isnan(value); });
  if (nan != values.end()) {
    return Internal("the logits of sequence ", (nan - values.begin()) / classes_, " are not numbers");
  }
  return Logits{.values = {values.begin(), values.end()}, .sequences = batch.sequences(), .classes = classes_};
}

}  // namespace ks
