// Tested by graph_builder_test.cc and, through the emitters, by encoder_graph_test.cc.
#include "graph/graph_builder.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "absl/strings/str_join.h"
#include "base/status.h"
#include "onnx.pb.h"

namespace ks {
namespace {

static_assert(std::endian::native == std::endian::little, "raw_data and external data are little-endian");

int32_t DataType(ElementType type) {
  switch (type) {
    case ElementType::kFloat:
      return onnx::TensorProto::FLOAT;
    case ElementType::kFloat16:
      return onnx::TensorProto::FLOAT16;
    case ElementType::kInt8:
      return onnx::TensorProto::INT8;
    case ElementType::kUint8:
      return onnx::TensorProto::UINT8;
    case ElementType::kInt32:
      return onnx::TensorProto::INT32;
    case ElementType::kInt64:
      return onnx::TensorProto::INT64;
  }
  return onnx::TensorProto::UNDEFINED;
}

void Describe(std::string_view name, ElementType type, std::span<const Dimension> shape, onnx::ValueInfoProto& info) {
  info.set_name(std::string(name));
  onnx::TypeProto::Tensor& tensor = *info.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(DataType(type));
  // Touched even for a scalar: no shape at all would mean one of any rank.
  onnx::TensorShapeProto& dimensions = *tensor.mutable_shape();
  for (const Dimension& dimension : shape) {
    onnx::TensorShapeProto::Dimension& added = *dimensions.add_dim();
    if (const auto* size = std::get_if<int64_t>(&dimension)) {
      added.set_dim_value(*size);
    } else {
      added.set_dim_param(std::string(std::get<std::string_view>(dimension)));
    }
  }
}

void Append(const Attribute& attribute, onnx::NodeProto& node) {
  onnx::AttributeProto& added = *node.add_attribute();
  added.set_name(std::string(attribute.name));
  if (const auto* integer = std::get_if<int64_t>(&attribute.value)) {
    added.set_type(onnx::AttributeProto::INT);
    added.set_i(*integer);
  } else if (const auto* number = std::get_if<float>(&attribute.value)) {
    added.set_type(onnx::AttributeProto::FLOAT);
    added.set_f(*number);
  } else {
    added.set_type(onnx::AttributeProto::INTS);
    for (const int64_t value : std::get<std::vector<int64_t>>(attribute.value)) added.add_ints(value);
  }
}

void AppendExternal(std::string_view key, std::string value, onnx::TensorProto& tensor) {
  onnx::StringStringEntryProto& entry = *tensor.add_external_data();
  entry.set_key(std::string(key));
  entry.set_value(std::move(value));
}

std::string ShapeText(std::span<const int64_t> shape) { return Cat("[", absl::StrJoin(shape, ", "), "]"); }

int64_t BytesOf(ElementType type) {
  switch (type) {
    case ElementType::kInt8:
    case ElementType::kUint8:
      return 1;
    case ElementType::kFloat16:
      return 2;
    case ElementType::kFloat:
    case ElementType::kInt32:
      return 4;
    case ElementType::kInt64:
      return 8;
  }
  return 0;
}

int64_t BytesOf(ElementType type, std::span<const int64_t> shape) {
  int64_t bytes = BytesOf(type);
  for (const int64_t size : shape) bytes *= size;
  return bytes;
}

}  // namespace

GraphBuilder::GraphBuilder(std::string_view name, int ir_version, std::span<const OperatorSet> operator_sets,
                           const TensorPlacement& placement)
    : placement_(placement), model_(std::make_unique<onnx::ModelProto>()), graph_(model_->mutable_graph()) {
  model_->set_ir_version(ir_version);
  model_->set_producer_name("kubesentiment");
  for (const OperatorSet& set : operator_sets) {
    onnx::OperatorSetIdProto& added = *model_->add_opset_import();
    added.set_domain(std::string(set.domain));
    added.set_version(set.version);
  }
  graph_->set_name(std::string(name));
}

GraphBuilder::~GraphBuilder() = default;

Value GraphBuilder::Input(std::string_view name, ElementType type, std::span<const Dimension> shape) {
  Describe(name, type, shape, *graph_->add_input());
  return Value(name);
}

void GraphBuilder::Output(std::string_view name, ElementType type, std::span<const Dimension> shape) {
  Describe(name, type, shape, *graph_->add_output());
}

// Null where it is not as expected.
const TensorLocation* GraphBuilder::Find(const Tensor& tensor) {
  const auto& [name, shape, type] = tensor;
  const auto found = placement_.find(name);
  if (found == placement_.end()) {
    Fail(NotFound("the weights hold no tensor ", name));
    return nullptr;
  }
  const TensorLocation& place = found->second;
  if (place.shape != shape) {
    Fail(DataLoss(name, " has the shape ", ShapeText(place.shape), ", expected ", ShapeText(shape)));
  } else if (place.type != type) {
    Fail(DataLoss(name, " has the ONNX type ", DataType(place.type), ", expected ", DataType(type)));
  } else if (place.bytes != BytesOf(type, shape)) {
    Fail(DataLoss(name, " of shape ", ShapeText(shape), " has ", place.bytes, " bytes, expected ",
                  BytesOf(type, shape)));
  } else {
    return &place;
  }
  return nullptr;
}

Value GraphBuilder::Weight(const std::string& name, std::span<const int64_t> shape, ElementType type) {
  if (!weights_.insert(name).second) return name;
  const Tensor tensor = {name, {shape.begin(), shape.end()}, type};
  if (const TensorLocation* const place = Find(tensor); place != nullptr) AddExternal(name, type, shape, *place);
  return name;
}

GraphBuilder::Bytes GraphBuilder::WeightBytes(std::string_view name, std::span<const Tensor> tensors) {
  Bytes bytes = {.value = Value(name), .begins = {}};
  TensorLocation all;
  for (const Tensor& tensor : tensors) {
    const TensorLocation* const place = Find(tensor);
    if (place == nullptr) return bytes;
    if (bytes.begins.empty()) all = *place;
    if (place->file != all.file) {
      Fail(DataLoss(tensor.name, " lies in ", place->file, ", expected ", all.file, " as ", tensors.front().name));
    }
    const int64_t end = std::max(all.offset + all.bytes, place->offset + place->bytes);
    all.offset = std::min(all.offset, place->offset);
    all.bytes = end - all.offset;
    bytes.begins.push_back(place->offset);
  }
  for (int64_t& begin : bytes.begins) begin -= all.offset;
  AddExternal(name, ElementType::kUint8, {&all.bytes, 1}, all);
  return bytes;
}

void GraphBuilder::AddExternal(std::string_view name, ElementType type, std::span<const int64_t> shape,
                               const TensorLocation& place) {
  onnx::TensorProto& tensor = *AddInitializer(name, type, shape);
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  AppendExternal("location", place.file, tensor);
  AppendExternal("offset", Cat(place.offset), tensor);
  AppendExternal("length", Cat(place.bytes), tensor);
}

Value GraphBuilder::FloatScalar(std::string_view name, float value) {
  AddInitializer(name, ElementType::kFloat, {})->set_raw_data(&value, sizeof(value));
  return Value(name);
}

Value GraphBuilder::ZeroScalar(std::string_view name, ElementType type) {
  AddInitializer(name, type, {})->set_raw_data(std::string(static_cast<size_t>(BytesOf(type)), '\0'));
  return Value(name);
}

Value GraphBuilder::Int64s(std::string_view name, std::span<const int64_t> values) {
  const int64_t count = static_cast<int64_t>(values.size());
  AddInitializer(name, ElementType::kInt64, {&count, 1})->set_raw_data(values.data(), values.size_bytes());
  return Value(name);
}

Value GraphBuilder::Node(std::string_view op, std::string_view name, std::span<const Value> inputs,
                         std::span<const Attribute> attributes, std::string_view domain) {
  onnx::NodeProto& node = *graph_->add_node();
  node.set_op_type(std::string(op));
  node.set_name(std::string(name));
  if (!domain.empty()) node.set_domain(std::string(domain));
  for (const Value& input : inputs) node.add_input(input);
  node.add_output(std::string(name));
  for (const Attribute& attribute : attributes) Append(attribute, node);
  return Value(name);
}

Value GraphBuilder::Cast(std::string_view name, const Value& x, ElementType to) {
  return Node("Cast", name, {x}, {{"to", int64_t{DataType(to)}}});
}

absl::StatusOr<std::string> GraphBuilder::Serialise() const {
  if (!status_.ok()) return status_;
  // Fields are written in the order of their numbers and onnx.proto has no maps: the same calls give the same bytes.
  std::string bytes;
  if (!model_->SerializeToString(&bytes)) return Internal("the graph ", graph_->name(), " does not serialise");
  return bytes;
}

onnx::TensorProto* GraphBuilder::AddInitializer(std::string_view name, ElementType type,
                                                std::span<const int64_t> shape) {
  onnx::TensorProto* tensor = graph_->add_initializer();
  tensor->set_name(std::string(name));
  tensor->set_data_type(DataType(type));
  for (const int64_t size : shape) tensor->add_dims(size);
  return tensor;
}

void GraphBuilder::Fail(absl::Status status) {
  if (status_.ok()) status_ = std::move(status);
}

}  // namespace ks
