// From a package on disk to a model that may answer: opened, checked, warm.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "engine/served_model.h"

namespace ks {

struct LoadOptions {
  std::string backend = "onnx";                 // who answers unless a request says otherwise: the model's first group
  std::vector<std::string> more_backends = {};  // that answer as well: a group each, in this order
  std::string shadow_backend = {};  // gets one object more for the shadow; a group of its own where it does not answer
  std::string precision = "auto";   // one of the package's; "auto": int8 where the package has it. Of "onnx" alone:
                                    // the others are references and run in fp32
  // Where int8 cannot be opened or fails its self-check, and the package has fp32: take that. False: an error.
  bool fall_back = false;
  std::string isa = "auto";  // instruction set of our own kernels, by name
  int threads = 0;           // cores to use in all; 0: as many as affinity and cgroup quota leave (EffectiveCores)
  // For many texts, so that opening may spend time to make every run faster; false for a handful.
  bool many_texts = true;
  // Called on the loading thread at the end of each step: "package", "tokenizer", then for each that is opened
  // "session" and "self-check".
  std::function<void(std::string_view step)> step_done = [](std::string_view) {};
};

// What is asked of whoever opens the backends of a package.
struct BackendPlan {
  std::string backend;  // which kind
  std::string precision;
  std::string isa = "auto";
  int workers = 1;             // objects, each for one thread
  int threads_per_worker = 1;  // cores that one run uses
  int max_tokens = 0;          // of one run
  bool many_texts = true;
};

// Opens plan.workers backends of the kind plan.backend, which share no lock with those of another call. Called by the
// thread that loads, once for each group and once more for the shadow. kInvalidArgument for a kind it does not know.
using BackendOpener = std::function<absl::StatusOr<std::vector<std::unique_ptr<Backend>>>(
    std::shared_ptr<const Package> package, const BackendPlan& plan)>;

// How a group of the model came about.
struct LoadedGroup {
  BackendPlan plan;              // what was made of LoadOptions; no workers where it only shadows
  std::string precision_reason;  // why plan.precision: "configured", "default" or "int8_self_check_failed"
  absl::Status int8_failure;     // not OK: what went wrong before fp32 was taken instead
  Duration load_time{0};         // self-check included
};

struct LoadedModel {
  std::shared_ptr<const ServedModel> model;
  BackendPlan plan;                 // of the first group
  std::vector<LoadedGroup> groups;  // in the order of the model's
  std::shared_ptr<const Package> package;
  Duration load_time{0};  // of all of it
};

// Opens the package in `directory`, its tokeniser and for each backend one worker a core, and holds the workers against
// the manifest's self-checks: a model that does not say what it said when it was converted is not served.
// Blocks. For the backends of this program see load_served.h. Errors, each naming the directory or the file: as
// Package::Open; kDataLoss where the tokeniser is damaged or has more tokens than the model, or the self-check fails
// (naming the text by number, expected and found logits); kInvalidArgument for threads; kFailedPrecondition for a
// precision that the package does not have; whatever `open` reports.
absl::StatusOr<LoadedModel> LoadModel(const std::filesystem::path& directory, const LoadOptions& options,
                                      const BackendOpener& open);

// Opens one backend more as the model's group `group` has them, each of whose runs takes `cores`, and holds it against the
// self-checks. Blocks, some milliseconds. Errors: as LoadModel.
absl::StatusOr<std::unique_ptr<Backend>> OpenOnCores(const LoadedModel& loaded, size_t group, int cores,
                                                     const BackendOpener& open);

// OpenOnCores on those of all the group's workers: what Engine::AddWide takes. Null where none is to be had: one worker,
// or not int8 on "onnx" (whose weights a second session shares; fp32's are copied into the runtime's layout for each).
absl::StatusOr<std::unique_ptr<Backend>> OpenWide(const LoadedModel& loaded, size_t group, const BackendOpener& open);

}  // namespace ks
