// Writes one ONNX model, node by node. Private to the room: only its .cc files see protobuf.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "graph/encoder_graph.h"

namespace onnx {
class GraphProto;
class ModelProto;
class TensorProto;
class ValueInfoProto;
}  // namespace onnx

namespace ks {

// The name of a tensor inside the graph: an input, an initializer or a node's output.
using Value = std::string;

struct OperatorSet {
  std::string_view domain;  // "" is ONNX's own
  int version = 0;
};

struct Attribute {
  std::string_view name;
  std::variant<int64_t, float, std::vector<int64_t>> value;
};

// A size, or the name of a dynamic axis.
using Dimension = std::variant<int64_t, std::string_view>;

// Nodes appear in the order of the calls, which must be one in which every value is made before it is used. The first
// error is kept and comes out of Serialise, so that the emitters read like the computation they write.
class GraphBuilder {
 public:
  // `placement` must outlive the builder.
  GraphBuilder(std::string_view name, int ir_version, std::span<const OperatorSet> operator_sets,
               const TensorPlacement& placement);
  ~GraphBuilder();
  GraphBuilder(const GraphBuilder&) = delete;
  GraphBuilder& operator=(const GraphBuilder&) = delete;

  Value Input(std::string_view name, ElementType type, std::span<const Dimension> shape);
  void Output(std::string_view name, ElementType type, std::span<const Dimension> shape);

  // An initializer in an external file; a second call with the same name gives the same value.
  // Errors: as EmitPortableGraph, and kDataLoss where the placement has another type.
  Value Weight(const std::string& name, std::span<const int64_t> shape, ElementType type = ElementType::kFloat);

  // The bytes of several tensors in one external file, where they lie and with what lies between, as one initializer,
  // kUint8 [bytes]. Errors: as Weight, and kDataLoss where they lie in several files.
  struct Tensor {
    std::string name;
    std::vector<int64_t> shape;
    ElementType type = ElementType::kFloat;
  };
  struct Bytes {
    Value value;
    std::vector<int64_t> begins;  // of the tensors
  };
  Bytes WeightBytes(std::string_view name, std::span<const Tensor> tensors);

  // Small initializers inside the model.
  Value FloatScalar(std::string_view name, float value);
  Value ZeroScalar(std::string_view name, ElementType type);
  Value Int64s(std::string_view name, std::span<const int64_t> values);

  // Appends a node called `name` and returns its only output, of the same name. An empty input is one left out.
  Value Node(std::string_view op, std::string_view name, std::span<const Value> inputs,
             std::span<const Attribute> attributes = {}, std::string_view domain = {});
  Value Node(std::string_view op, std::string_view name, std::initializer_list<Value> inputs,
             std::initializer_list<Attribute> attributes = {}, std::string_view domain = {}) {
    return Node(op, name, std::span(inputs.begin(), inputs.size()), std::span(attributes.begin(), attributes.size()),
                domain);
  }

  Value Cast(std::string_view name, const Value& x, ElementType to);

  absl::StatusOr<std::string> Serialise() const;

 private:
  const TensorLocation* Find(const Tensor& tensor);
  void AddExternal(std::string_view name, ElementType type, std::span<const int64_t> shape,
                   const TensorLocation& place);
  onnx::TensorProto* AddInitializer(std::string_view name, ElementType type, std::span<const int64_t> shape);
  void Fail(absl::Status status);

  const TensorPlacement& placement_;
  std::unique_ptr<onnx::ModelProto> model_;
  onnx::GraphProto* graph_;  // inside model_
  absl::flat_hash_set<std::string> weights_;
  absl::Status status_;
};

}  // namespace ks
