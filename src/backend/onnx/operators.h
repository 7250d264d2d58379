// The operators of the serving graph that ONNX Runtime does not have (graph/serving_graph.cc says what each computes).
// Private to backend/onnx.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "backend/onnx/ort.h"

namespace ks {

// The domain "kubesentiment" for one session. Add domain() to the session's options; must outlive the session.
class Operators {
 public:
  // `threads` is the size of the session's pool.
  static absl::StatusOr<std::unique_ptr<Operators>> Create(int threads);
  ~Operators();
  Operators(const Operators&) = delete;
  Operators& operator=(const Operators&) = delete;

  OrtCustomOpDomain* domain() const { return domain_.get(); }

 private:
  struct Ops;
  Operators();

  std::unique_ptr<Ops> ops_;
  OrtHandle<OrtCustomOpDomain> domain_;  // refers to ops_
};

}  // namespace ks
