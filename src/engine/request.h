// One admitted call of Submit, from admission to its answer. Inside the engine only.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/classification.h"
#include "engine/encode.h"

namespace ks {

class ServedModel;

struct Request {
  // Fixed from admission on.
  std::shared_ptr<const ServedModel> model;  // kept to the end, whatever is served meanwhile
  EncodedInputs inputs;
  size_t group = 0;  // of the model's backends
  Activation activation = Activation::kSoftmax;
  int top_k = 0;
  TimePoint admitted;
  TimePoint deadline;
  std::function<void(absl::StatusOr<ClassifyResult>)> done;

  // float32 [P, C], a row for each part. A worker writes the rows of the parts it took; no two take the same.
  std::vector<float> logits;

  // Progress, guarded by the engine's lock.
  int unfinished_parts = 0;
  bool answered = false;  // or about to be: whoever sets it calls `done`
  StageTimes times;
};

// Consecutive parts of a request inside one run.
struct RunSlice {
  std::shared_ptr<Request> request;
  int first_part = 0;
  int parts = 0;
};

// What the finished parts of a request say: activation of each part, over the windows of a text the mean weighted by
// their tokens, top_k. Requires finite logits of all parts.
std::vector<Classification> MakeClassifications(const Request& request, float temperature);

}  // namespace ks
