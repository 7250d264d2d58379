// Which label each of the last predictions got, so that feedback can be compared with it and counts once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "base/mutex.h"

namespace ks {

// What was answered; indices into ModelDescription.
struct RememberedPrediction {
  int label = 0;
  int backend = 0;
};

// Bounded: the oldest id is forgotten for a new one. All memory, some 34 bytes an id, is taken at once: a server must not
// grow for the day that it takes to fill. Safe from any thread.
class PredictionStore {
 public:
  // Requires 0 < capacity < 2^31.
  explicit PredictionStore(size_t capacity);
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
    Key key;
    int32_t label;
    int16_t backend;
    bool marked;
  };

  // Entries in a set by their key: the set holds places in entries_.
  struct KeyOfPlace {
    const std::vector<Entry>* entries;
    Key operator()(const Key& key) const { return key; }
    Key operator()(uint32_t place) const { return (*entries)[place].key; }
  };
  struct HashOfKey : KeyOfPlace {
    using is_transparent = void;
    template <typename T>
    size_t operator()(const T& value) const {
      return absl::HashOf(KeyOfPlace::operator()(value));
    }
  };
  struct SameKey : KeyOfPlace {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return KeyOfPlace::operator()(a) == KeyOfPlace::operator()(b);
    }
  };

  static Key KeyOf(std::string_view id);
  void Insert(const Key& key, RememberedPrediction prediction, bool marked) KS_REQUIRES(mutex_);

  Mutex mutex_;
  std::vector<Entry> entries_ KS_GUARDED_BY(mutex_);  // a ring in order of arrival
  size_t next_ KS_GUARDED_BY(mutex_) = 0;             // the place of the next entry; the oldest once all are taken
  absl::flat_hash_set<uint32_t, HashOfKey, SameKey> places_ KS_GUARDED_BY(mutex_);
};

}  // namespace ks
