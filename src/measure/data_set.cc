// Tested by data_set_test.cc.
#include "measure/data_set.h"

#include <algorithm>
#include <charconv>
#include <span>

#include "base/sha256.h"

namespace ks {
namespace {

// The first eight bytes of the digest.
uint64_t TextHash(const std::string& text) {
  const std::string hex = Sha256Hex(std::as_bytes(std::span(text)));
  uint64_t hash = 0;
  std::from_chars(hex.data(), hex.data() + 16, hash, 16);
  return hash;
}

}  // namespace

int64_t DataSet::rows() const {
  int64_t sum = 0;
  for (const DataFile& file : files) sum += file.rows;
  return sum;
}

void Sampler::Add(Example example) {
  const uint64_t arrival = arrivals_++;
  if (limit_ == 0) {
    kept_.push_back({0, arrival, std::move(example)});
    return;
  }
  Ranked ranked = {TextHash(example.text), arrival, std::move(example)};
  if (kept_.size() == limit_) {
    if (!(ranked < kept_.front())) return;
    std::pop_heap(kept_.begin(), kept_.end());
    kept_.pop_back();
  }
  kept_.push_back(std::move(ranked));
  std::push_heap(kept_.begin(), kept_.end());
}

std::vector<Example> Sampler::Take() && {
  std::sort(kept_.begin(), kept_.end(), [](const Ranked& a, const Ranked& b) { return a.arrival < b.arrival; });
  std::vector<Example> examples;
  examples.reserve(kept_.size());
  for (Ranked& ranked : kept_) examples.push_back(std::move(ranked.example));
  return examples;
}

}  // namespace ks
