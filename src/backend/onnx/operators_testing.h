// Test support: models of a single node, made in memory and run over one of our operators.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "backend/onnx/operators.h"
#include "base/status_macros.h"
#include "onnx.pb.h"

namespace ks {

template <typename T>
constexpr onnx::TensorProto::DataType kProtoType = onnx::TensorProto::UNDEFINED;
template <>
inline constexpr onnx::TensorProto::DataType kProtoType<float> = onnx::TensorProto::FLOAT;
template <>
inline constexpr onnx::TensorProto::DataType kProtoType<int32_t> = onnx::TensorProto::INT32;
template <>
inline constexpr onnx::TensorProto::DataType kProtoType<uint16_t> = onnx::TensorProto::FLOAT16;
template <>
inline constexpr onnx::TensorProto::DataType kProtoType<uint8_t> = onnx::TensorProto::UINT8;

// What a node runs on.
struct NodeSettings {
  int team = 1;
  int pool_threads = 1;
  IsaLevel isa = BestIsa();
};

// One node with its weights, and the session that runs it:
//
//   OneNode node("Int8Linear");
//   node.Int("inputs", 4).Input<float>({rows, 4}, x).Weight<uint8_t>({64}, packed);
//   node.Run({.team = 2, .isa = isa})
class OneNode {
 public:
  explicit OneNode(const std::string& op) {
    model_.set_ir_version(8);
    onnx::OperatorSetIdProto* const ours = model_.add_opset_import();
    ours->set_domain("kubesentiment");
    ours->set_version(1);
    onnx::OperatorSetIdProto* const standard = model_.add_opset_import();
    standard->set_domain("");
    standard->set_version(17);
    onnx::GraphProto& graph = *model_.mutable_graph();
    graph.set_name("one_node");
    node_ = graph.add_node();
    node_->set_op_type(op);
    node_->set_domain("kubesentiment");
    node_->set_name("tested");
    node_->add_output("y");
    onnx::ValueInfoProto* const output = graph.add_output();
    output->set_name("y");
    output->mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT);
  }

  OneNode& Int(const std::string& name, int64_t value) {
    onnx::AttributeProto* const attribute = node_->add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::INT);
    attribute->set_i(value);
    return *this;
  }
  OneNode& Float(const std::string& name, float value) {
    onnx::AttributeProto* const attribute = node_->add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::FLOAT);
    attribute->set_f(value);
    return *this;
  }

  OneNode& Ints(const std::string& name, const std::vector<int64_t>& values) {
    onnx::AttributeProto* const attribute = node_->add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::INTS);
    for (const int64_t value : values) attribute->add_ints(value);
    return *this;
  }

  // The node's next input, given with each run.
  template <typename T>
  OneNode& Input(const std::vector<int64_t>& shape, const std::vector<T>& values) {
    Given given = {NextName(), shape, std::string(), kProtoType<T>};
    given.bytes.assign(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
    onnx::ValueInfoProto* const input = model_.mutable_graph()->add_input();
    input->set_name(given.name);
    onnx::TypeProto::Tensor* const type = input->mutable_type()->mutable_tensor_type();
    type->set_elem_type(given.type);
    for (size_t i = 0; i < shape.size(); ++i) type->mutable_shape()->add_dim()->set_dim_param(given.name + Cat(i));
    given_.push_back(std::move(given));
    return *this;
  }

  // The node's next input, an initializer.
  template <typename T>
  OneNode& Weight(const std::vector<int64_t>& shape, const std::vector<T>& values) {
    onnx::TensorProto* const tensor = model_.mutable_graph()->add_initializer();
    tensor->set_name(NextName());
    tensor->set_data_type(kProtoType<T>);
    for (const int64_t size : shape) tensor->add_dims(size);
    tensor->set_raw_data(std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)));
    return *this;
  }

  absl::StatusOr<std::vector<float>> Run(const NodeSettings& settings) {
    KS_ASSIGN_OR_RETURN(const std::shared_ptr<OrtEnv> environment, AcquireOrtEnvironment());
    Team team(settings.team);
    KS_ASSIGN_OR_RETURN(const std::unique_ptr<Operators> operators,
                        Operators::Create({.team = &team, .pool_threads = settings.pool_threads, .isa = settings.isa}));
    return Run(environment.get(), operators->domain(), settings.pool_threads);
  }

  // Over operators of the caller's own.
  absl::StatusOr<std::vector<float>> Run(OrtEnv* environment, OrtCustomOpDomain* domain, int threads) {
    KS_ASSIGN_OR_RETURN(const auto options, MakeOrt<OrtSessionOptions>("options", [](OrtSessionOptions** out) {
                          return Ort().CreateSessionOptions(out);
                        }));
    KS_RETURN_IF_ERROR(ToStatus(Ort().SetSessionGraphOptimizationLevel(options.get(), ORT_DISABLE_ALL), "options"));
    KS_RETURN_IF_ERROR(ToStatus(Ort().SetIntraOpNumThreads(options.get(), threads), "options"));
    KS_RETURN_IF_ERROR(ToStatus(Ort().AddCustomOpDomain(options.get(), domain), "options"));
    const std::string model = model_.SerializeAsString();
    KS_ASSIGN_OR_RETURN(const auto session, MakeOrt<OrtSession>("session", [&](OrtSession** out) {
                          return Ort().CreateSessionFromArray(environment, model.data(), model.size(), options.get(),
                                                              out);
                        }));
    KS_ASSIGN_OR_RETURN(const auto memory, MakeOrt<OrtMemoryInfo>("memory", [](OrtMemoryInfo** out) {
                          return Ort().CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, out);
                        }));
    std::vector<const char*> names;
    std::vector<OrtHandle<OrtValue>> values;
    std::vector<const OrtValue*> inputs;
    for (Given& given : given_) {
      KS_ASSIGN_OR_RETURN(OrtHandle<OrtValue> value, MakeOrt<OrtValue>("input", [&](OrtValue** out) {
                            return Ort().CreateTensorWithDataAsOrtValue(
                                memory.get(), given.bytes.data(), given.bytes.size(), given.shape.data(),
                                given.shape.size(), static_cast<ONNXTensorElementDataType>(given.type), out);
                          }));
      names.push_back(given.name.c_str());
      inputs.push_back(value.get());
      values.push_back(std::move(value));
    }
    const char* const output_name = "y";
    KS_ASSIGN_OR_RETURN(const auto output, MakeOrt<OrtValue>("run", [&](OrtValue** out) {
                          return Ort().Run(session.get(), nullptr, names.data(), inputs.data(), names.size(),
                                           &output_name, 1, out);
                        }));
    KS_ASSIGN_OR_RETURN(const auto info,
                        MakeOrt<OrtTensorTypeAndShapeInfo>("output", [&](OrtTensorTypeAndShapeInfo** out) {
                          return Ort().GetTensorTypeAndShape(output.get(), out);
                        }));
    size_t count = 0;
    KS_RETURN_IF_ERROR(ToStatus(Ort().GetTensorShapeElementCount(info.get(), &count), "output"));
    void* data = nullptr;
    KS_RETURN_IF_ERROR(ToStatus(Ort().GetTensorMutableData(output.get(), &data), "output"));
    const float* const floats = static_cast<const float*>(data);
    return std::vector<float>(floats, floats + count);
  }

 private:
  struct Given {
    std::string name;
    std::vector<int64_t> shape;
    std::string bytes;
    onnx::TensorProto::DataType type;
  };

  std::string NextName() {
    node_->add_input(Cat("x", node_->input_size()));
    return node_->input(node_->input_size() - 1);
  }

  onnx::ModelProto model_;
  onnx::NodeProto* node_;  // inside model_
  std::vector<Given> given_;
};

}  // namespace ks
