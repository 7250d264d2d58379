// One model as it is being served: package, tokeniser, backends. A request holds it from admission to its answer, so
// that a replacement never pulls it away.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "backend/backend.h"
#include "package/package.h"
#include "text/tokenizer.h"

namespace ks {

// The backends of one kind. Each object has a thread of its own, so they may run at the same time.
struct BackendGroup {
  std::string name;                               // "onnx", "pytorch"
  std::vector<std::unique_ptr<Backend>> workers;  // that answer; none where the kind only shadows
  std::unique_ptr<Backend> shadow = nullptr;      // one more, that runs answered requests again; null: none
};

// Whether a backend can run what `manifest` describes: kInvalidArgument naming the fact (max_tokens, classes) that does
// not fit.
absl::Status CheckBackend(const BackendFacts& facts, const Manifest& manifest);

class ServedModel {
 public:
  // `package` may be null for tests on the fake backend; then `manifest` alone describes the model. The first group
  // answers unless a request names another.
  ServedModel(std::shared_ptr<const Package> package, Manifest manifest, Tokenizer tokenizer,
              std::vector<BackendGroup> groups);

  const Package* package() const { return package_.get(); }
  const Manifest& manifest() const { return manifest_; }
  const ClassifierSpec& spec() const { return manifest_.spec; }
  const Tokenizer& tokenizer() const { return tokenizer_; }
  const std::vector<BackendGroup>& groups() const { return groups_; }

 private:
  std::shared_ptr<const Package> package_;
  Manifest manifest_;
  Tokenizer tokenizer_;
  std::vector<BackendGroup> groups_;
};

}  // namespace ks
