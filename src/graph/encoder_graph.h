// The classifier as ONNX graphs. Weights stay where they are: the graphs name a file, an offset and a length.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "model/classifier_spec.h"

namespace ks {

enum class ElementType { kFloat, kFloat16, kInt8, kUint8, kInt32, kInt64 };

// Where one tensor lies, row-major and little-endian.
struct TensorLocation {
  std::string file;  // relative to the graph's directory, e.g. "model.safetensors"
  int64_t offset = 0;
  int64_t bytes = 0;
  std::vector<int64_t> shape;
  ElementType type = ElementType::kFloat;
};

// Keyed by the names of model/weights.h; may hold more than the classifier needs.
using TensorPlacement = absl::flat_hash_map<std::string, TensorLocation>;

// The graph that anyone's runtime can read: opset 14, standard operators only.
//
// Axes: `batch` and `sequence` are dynamic, sequence <= encoder.max_positions; C = labels.
//   input_ids       int64   [batch, sequence]
//   attention_mask  int64   [batch, sequence]  1 for a token, 0 for padding
//   token_type_ids  int64   [batch, sequence]  only where the model has token types
//   logits          float32 [batch, C]         raw scores
//
// Returns a serialised onnx.ModelProto; the same arguments give the same bytes.
//
// Errors: kNotFound naming the tensor that `placement` lacks; kDataLoss naming the tensor whose shape or size is not
// what `spec` says, with both.
absl::StatusOr<std::string> EmitPortableGraph(const ClassifierSpec& spec, const TensorPlacement& placement);

// The same in int8, still opset 14 and standard operators only: inputs, output and errors as EmitPortableGraph.
//
// `placement` holds norms, pooler and classifier under their names, embeddings too (kFloat16), and for each other weight
// NAME [N, K] with its bias either the quantised form,
//   NAME.int8         kInt8  [K, N]: transposed, as MatMulInteger takes it
//   NAME.column_sums  kInt32 [N]         NAME.scales  kFloat [N]
//   NAME.multipliers  kFloat [K]: of the first of those that share their input alone (query, not key and value)
// or, where it stays in fp32, NAME itself.
absl::StatusOr<std::string> EmitPortableInt8Graph(const ClassifierSpec& spec, const TensorPlacement& placement);

// The graph that our ONNX backend runs: packed tokens, few nodes, ready to run as it is (optimisation level 0). Besides
// ONNX Runtime's operators it uses ours, domain "kubesentiment" (described in serving_graph.cc), which that backend
// registers.
//
// T = tokens of all sequences end to end, B = sequences, C = labels; T and B are dynamic.
//   input_ids       int32   [T]
//   offsets         int32   [B + 1]  as in backend/batch.h
//   token_type_ids  int32   [T]      only where the model has token types
//   logits          float32 [B, C]
//
// Returns and errors as EmitPortableGraph.
absl::StatusOr<std::string> EmitServingGraph(const ClassifierSpec& spec, const TensorPlacement& placement);

// The int8 graph that our ONNX backend runs: as EmitServingGraph, but every operator with numbers in it is ours
// (backend/onnx/operators.h), so that a text has the same bits in any batch and on any machine.
//
// `placement` holds, besides the embeddings (kFloat16), norms, pooler and classifier under their names, for each dense
// layer NAME of model/dense_layers.h [N, K] either the quantised form, shapes as in kernels/int8_linear.h,
//   NAME.packed       kUint8 [bytes]     NAME.scales  kFloat [N16]
//   NAME.column_sums  kInt32 [N16]       NAME.bias    kFloat [N16]
//   NAME.multipliers  kFloat [K]
// or, where the layer stays in fp32, NAME.weight kFloat [N, K] and NAME.bias kFloat [N].
absl::StatusOr<std::string> EmitInt8Graph(const ClassifierSpec& spec, const TensorPlacement& placement);

}  // namespace ks
