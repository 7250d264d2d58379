// The portable graph in fp32. Tested by encoder_graph_test.cc and tests/integration/test_portable_graph.py.
#include "graph/encoder_graph.h"
#include "graph/portable_dialect.h"

namespace ks {

absl::StatusOr<std::string> EmitPortableGraph(const ClassifierSpec& spec, const TensorPlacement& placement) {
  GraphBuilder graph("kubesentiment_portable", kPortableIrVersion, kPortableOperatorSets, placement);
  PortableDialect dialect(spec.encoder, ElementType::kFloat, graph);
  return FinishPortableGraph(spec, dialect, graph);
}

}  // namespace ks
