// The portable graph in int8. It quantises as the kernels do (kernels/int8_linear.h): each row on its own, with a scale and
// a zero point from its smallest and largest value. MatMulInteger takes one zero point for all rows, so it gets 0,
// and what each row's would have taken away is made up for afterwards, exactly, by the columns' sums. Tested by
// portable_int8_graph_test.cc and tests/integration/test_portable_graph.py.
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "graph/encoder_graph.h"
#include "graph/portable_dialect.h"

namespace ks {
namespace {

// The narrowest range of a row. Below it everything counts as zero; smaller ones would give denormal scales, which
// some runtimes flush.
constexpr float kSmallestRange = 1e-30f;

class PortableInt8Dialect final : public PortableDialect {
 public:
  PortableInt8Dialect(const EncoderSpec& encoder, const TensorPlacement& placement, GraphBuilder& graph)
      : PortableDialect(encoder, ElementType::kFloat16, graph), placement_(placement) {
    byte_zero_ = graph_.ZeroScalar("const.byte_zero", ElementType::kUint8);
    float_zero_ = graph_.FloatScalar("const.float_zero", 0.0f);
    smallest_ = graph_.FloatScalar("const.smallest_range", kSmallestRange);
    largest_ = graph_.FloatScalar("const.largest_byte", 255.0f);
  }

  Value Linear(const std::string& name, const Value& x, const LinearNames& weights, int64_t outputs,
               int64_t inputs) override {
    const std::string matrix = weights.weight + ".int8";
    if (!placement_.contains(matrix)) return PortableDialect::Linear(name, x, weights, outputs, inputs);
    const std::vector<int64_t> columns = {outputs};
    const Rows rows = Quantise(x, weights.weight + ".multipliers", inputs);
    // Without a zero point of its own for each matrix, ONNX Runtime cannot make unsigned ones of them, as it does for
    // CPUs without VNNI when asked to.
    const Value products =
        graph_.Node("MatMulInteger", name + ".products",
                    {rows.bytes, graph_.Weight(matrix, std::vector{inputs, outputs}, ElementType::kInt8), byte_zero_,
                     graph_.ZeroScalar(name + ".zero_point", ElementType::kInt8)});
    const Value column_sums = graph_.Weight(weights.weight + ".column_sums", columns, ElementType::kInt32);
    const Value shift = graph_.Node("Mul", name + ".shift", {rows.lowest, column_sums});
    const Value sums = graph_.Node("Add", name + ".sums", {products, shift});
    const Value numbers = graph_.Cast(name + ".numbers", sums, ElementType::kFloat);
    const Value by_row = graph_.Node("Mul", name + ".by_row", {numbers, rows.scales});
    const Value scales = graph_.Weight(weights.weight + ".scales", columns);
    const Value by_column = graph_.Node("Mul", name + ".by_column", {by_row, scales});
    return graph_.Node("Add", name, {by_column, graph_.Weight(weights.bias, columns)});
  }

 private:
  // x[t, k] * multipliers[k] is about scales[t] * (bytes[t, k] + lowest[t]).
  struct Rows {
    Value bytes;   // uint8   [tokens, inputs]
    Value scales;  // float32 [tokens, 1]
    Value lowest;  // int32   [tokens, 1], -255 to 0: the zero point, negated
  };

  // Once for each value: query, key and value share theirs, with the multipliers of the first.
  const Rows& Quantise(const Value& x, const std::string& multipliers, int64_t inputs) {
    const auto [found, is_new] = quantised_.try_emplace(x);
    Rows& rows = found->second;
    if (!is_new) return rows;
    const std::string name = x + ".quantised";
    const Value levelled = graph_.Node("Mul", name + ".levelled", {x, graph_.Weight(multipliers, std::vector{inputs})});
    const Attribute last_axis = {"axes", std::vector<int64_t>{-1}};
    // Zero lies within the range, so that it is exact.
    const Value least = graph_.Node("ReduceMin", name + ".least", {levelled}, {last_axis});
    const Value low = graph_.Node("Min", name + ".low", {least, float_zero_});
    const Value most = graph_.Node("ReduceMax", name + ".most", {levelled}, {last_axis});
    const Value high = graph_.Node("Max", name + ".high", {most, smallest_});
    const Value range = graph_.Node("Sub", name + ".range", {high, low});
    rows.scales = graph_.Node("Div", name + ".scales", {range, largest_});
    const Value lowest =
        graph_.Node("Round", name + ".lowest", {graph_.Node("Div", name + ".lowest_exact", {low, rows.scales})});
    rows.lowest = graph_.Cast(name + ".lowest_integer", lowest, ElementType::kInt32);
    const Value inverse = graph_.Node("Div", name + ".inverse", {largest_, range});
    const Value scaled = graph_.Node("Mul", name + ".scaled", {levelled, inverse});
    const Value rounded = graph_.Node("Round", name + ".rounded", {scaled});
    const Value shifted = graph_.Node("Sub", name + ".shifted", {rounded, lowest});
    const Value clipped = graph_.Node("Clip", name + ".clipped", {shifted, float_zero_, largest_});
    rows.bytes = graph_.Cast(name + ".bytes", clipped, ElementType::kUint8);
    return rows;
  }

  const TensorPlacement& placement_;
  absl::flat_hash_map<Value, Rows> quantised_;
  Value byte_zero_, float_zero_, smallest_, largest_;
};

}  // namespace

absl::StatusOr<std::string> EmitPortableInt8Graph(const ClassifierSpec& spec, const TensorPlacement& placement) {
  GraphBuilder graph("kubesentiment_portable_int8", kPortableIrVersion, kPortableOperatorSets, placement);
  PortableInt8Dialect dialect(spec.encoder, placement, graph);
  return FinishPortableGraph(spec, dialect, graph);
}

}  // namespace ks
