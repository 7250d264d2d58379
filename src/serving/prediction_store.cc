// Tested by prediction_store_test.cc.
#include "serving/prediction_store.h"

namespace ks {
namespace {

int HexValue(char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; }

}  // namespace

// Case does not matter in a UUID, nor do its dashes.
PredictionStore::Key PredictionStore::KeyOf(std::string_view id) {
  Key key{};
  size_t digit = 0;
  for (const char c : id) {
    if (c == '-' || digit == 2 * key.size()) continue;
    key[digit / 2] = static_cast<std::byte>(std::to_integer<int>(key[digit / 2]) << 4 | HexValue(c));
    ++digit;
  }
  return key;
}

void PredictionStore::Insert(const Key& key, const Entry& entry) {
  if (!entries_.try_emplace(key, entry).second) return;
  if (ring_.size() < capacity_) {
    ring_.push_back(key);
    return;
  }
  entries_.erase(ring_[next_]);
  ring_[next_] = key;
  next_ = (next_ + 1) % capacity_;
}

void PredictionStore::Remember(std::string_view id, RememberedPrediction prediction) {
  MutexLock lock(mutex_);
  Insert(KeyOf(id), {prediction, false});
}

PredictionStore::Outcome PredictionStore::Mark(std::string_view id, std::optional<RememberedPrediction> claimed) {
  const Key key = KeyOf(id);
  MutexLock lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) {
    if (!claimed.has_value()) return {};
    Insert(key, {*claimed, true});
    return {Verdict::kFirst, *claimed};
  }
  const bool again = found->second.marked;
  found->second.marked = true;
  return {again ? Verdict::kAgain : Verdict::kFirst, found->second.prediction};
}

}  // namespace ks
