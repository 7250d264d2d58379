// A backend without a model, for the tests of everything above it.
#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "base/mutex.h"

namespace ks {

// The logits that FakeBackend gives one sequence: each between -4 and 4, a pure function of the ids and token types in
// their order, not of the sequence's place in a batch. Different sequences get different logits, so an answer that went
// to the wrong caller shows. Empty `token_type_ids` means all 0, as in PackedBatch.
std::vector<float> FakeLogits(std::span<const int32_t> ids, std::span<const int32_t> token_type_ids, int classes);

// Small sound facts: name "fake", precision "fp32", 512 tokens a run, 64 a sequence, 3 classes, 1 thread.
BackendFacts FakeFacts();

// Answers with FakeLogits, after the same CheckBatch as the real ones (no vocabulary). The hook is how a test makes a
// run slow (it blocks, e.g. on a FakeGate), makes it fail (it returns an error, which Run passes on), or looks at the
// batch.
class FakeBackend final : public Backend {
 public:
  using Hook = std::function<absl::Status(const PackedBatch& batch)>;

  // `hook` is called at the start of every valid Run, on the thread of its caller; null: nothing happens there.
  explicit FakeBackend(BackendFacts facts = FakeFacts(), Hook hook = nullptr)
      : facts_(std::move(facts)), hook_(std::move(hook)) {}

  const BackendFacts& facts() const override { return facts_; }

  // Errors: kInvalidArgument from CheckBatch; whatever the hook returns; kInternal if two calls overlap, which the
  // contract of Backend forbids.
  absl::StatusOr<Logits> Run(const PackedBatch& batch) override;

  // Runs that gave logits, and their sequences in sum. Any thread may ask at any time.
  int runs() const { return runs_.load(); }
  int sequences() const { return sequences_.load(); }

 private:
  const BackendFacts facts_;
  const Hook hook_;
  std::atomic<bool> running_{false};
  std::atomic<int> runs_{0};
  std::atomic<int> sequences_{0};
};

// Holds runs until the test lets them pass. Closed at first; safe from many threads; must outlive the runs that wait.
//
//   FakeGate gate;
//   FakeBackend backend(FakeFacts(), gate.hook());
//   ... start a request ...
//   gate.WaitForArrivals(1);   // it is inside Run now
//   gate.Open();               // it and all later ones pass
class FakeGate {
 public:
  FakeGate() = default;
  FakeGate(const FakeGate&) = delete;
  FakeGate& operator=(const FakeGate&) = delete;

  // A hook that waits at this gate and returns OK.
  FakeBackend::Hook hook();

  // Lets one waiting or future run pass.
  void LetOnePass() KS_EXCLUDES(mutex_);
  // Lets all runs pass from now on.
  void Open() KS_EXCLUDES(mutex_);
  // Blocks until `count` runs in all have come to the gate, those that passed included.
  void WaitForArrivals(int count) KS_EXCLUDES(mutex_);
  // Runs that have come so far.
  int arrivals() const KS_EXCLUDES(mutex_);

 private:
  void Wait() KS_EXCLUDES(mutex_);

  mutable Mutex mutex_;
  CondVar changed_;
  bool open_ KS_GUARDED_BY(mutex_) = false;
  int arrivals_ KS_GUARDED_BY(mutex_) = 0;
  int passes_ KS_GUARDED_BY(mutex_) = 0;
};

}  // namespace ks
