// Tested by prediction_store_test.cc.
#include "serving/prediction_store.h"

#include <utility>

#include "base/hex.h"

namespace ks {

// Case does not matter in a UUID, nor do its dashes.
PredictionStore::Key PredictionStore::KeyOf(std::string_view id) {
  Key key{};
  size_t digit = 0;
  for (const char c : id) {
    if (c == '-' || digit == 2 * key.size()) continue;
    key[digit / 2] = static_cast<std::byte>(std::to_integer<int>(key[digit / 2]) << 4 | HexDigitValue(c));
    ++digit;
  }
  return key;
}

PredictionStore::PredictionStore(size_t capacity)
    : entries_(capacity), places_(0, HashOfKey{&entries_}, SameKey{&entries_}) {
  places_.reserve(capacity);
}

void PredictionStore::Insert(const Key& key, RememberedPrediction prediction, bool marked) {
  if (places_.contains(key)) return;
  if (places_.size() == entries_.size()) places_.erase(static_cast<uint32_t>(next_));
  entries_[next_] = {key, prediction.label, static_cast<int16_t>(prediction.backend), marked};
  places_.insert(static_cast<uint32_t>(next_));
  next_ = (next_ + 1) % entries_.size();
}

void PredictionStore::Remember(std::string_view id, RememberedPrediction prediction) {
  MutexLock lock(mutex_);
  Insert(KeyOf(id), prediction, false);
}

PredictionStore::Outcome PredictionStore::Mark(std::string_view id, std::optional<RememberedPrediction> claimed) {
  const Key key = KeyOf(id);
  MutexLock lock(mutex_);
  const auto found = places_.find(key);
  if (found == places_.end()) {
    if (!claimed.has_value()) return {};
    Insert(key, *claimed, true);
    return {Verdict::kFirst, *claimed};
  }
  Entry& entry = entries_[*found];
  const bool again = std::exchange(entry.marked, true);
  return {again ? Verdict::kAgain : Verdict::kFirst, {entry.label, entry.backend}};
}

}  // namespace ks
