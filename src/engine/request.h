// One admitted call of Submit, from admission to its answer. Inside the engine only.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/classification.h"
#include "engine/encode.h"

namespace ks {

class ServedModel;

// The run that held a part.
struct PartRun {
  Duration duration{0};
  bool first_of_slice = false;  // of a request's consecutive parts in that run
};

struct Request {
  // Fixed from admission on.
  std::shared_ptr<const ServedModel> model;  // kept to the end, whatever is served meanwhile
  EncodedInputs inputs;
  size_t group = 0;  // of the model's backends
  Activation activation = Activation::kSoftmax;
  int top_k = 0;
  TimePoint admitted;
  TimePoint deadline;
  bool came_alone = false;  // when it was admitted nothing waited and nothing ran
  int64_t number = 0;       // of all admitted ones, in their order
  std::function<void(absl::StatusOr<ClassifyResult>)> done;
  std::shared_ptr<Timeline> timeline;  // may be null; as StageTimes below, and whoever calls `done` may write before

  // Written by the workers, each at the parts that it took; no two take the same. P = parts, C = labels.
  std::vector<float> logits;       // float32 [P, C]
  std::vector<PartRun> part_runs;  // [P]

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

// What `logits`, float32 [P, C], say of `inputs`: activation of each part, over the windows of a text the mean weighted
// by their tokens, top_k. Requires finite logits of all parts. Classification::infer stays 0.
std::vector<Classification> MakeClassifications(const EncodedInputs& inputs, std::span<const float> logits,
                                                Activation activation, int top_k, float temperature);

// The same of a request that has run, with the time that each text took.
std::vector<Classification> MakeClassifications(const Request& request, float temperature);

}  // namespace ks
