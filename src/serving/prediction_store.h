// Which label each of the last predictions got, so that feedback can be compared with it and counts once.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"

namespace ks {

// What was answered; indices into ModelDescription.
struct RememberedPrediction {
  int label = 0;
  int backend = 0;
};

// Bounded: the oldest id is forgotten for a new one. Some 60 bytes an id, taken as they come. Safe from any thread.
class PredictionStore {
 public:
  explicit PredictionStore(size_t capacity) : capacity_(capacity) {}
  PredictionStore(const PredictionStore&) = delete;
  PredictionStore& operator=(const PredictionStore&) = delete;

  // Requires a UUID, as do the others.
  void Remember(std::string_view id, RememberedPrediction prediction);

  enum class Verdict { kFirst, kAgain, kUnknown };
  struct Outcome {
    Verdict verdict = Verdict::kUnknown;
    RememberedPrediction prediction;  // what is remembered, otherwise `claimed`
  };
  // Marks feedback for `id`. kUnknown where it is not remembered and nothing is claimed; a claim is then remembered as
  // marked. What is remembered beats the claim.
  Outcome Mark(std::string_view id, std::optional<RememberedPrediction> claimed);

 private:
  using Key = std::array<std::byte, 16>;
  struct Entry {
    RememberedPrediction prediction;
    bool marked = false;
  };
  static Key KeyOf(std::string_view id);
  void Insert(const Key& key, const Entry& entry) KS_REQUIRES(mutex_);

  const size_t capacity_;
  Mutex mutex_;
  absl::flat_hash_map<Key, Entry> entries_ KS_GUARDED_BY(mutex_);
  std::vector<Key> ring_ KS_GUARDED_BY(mutex_);  // in order of arrival once full, from next_ on
  size_t next_ KS_GUARDED_BY(mutex_) = 0;
};

}  // namespace ks
