#include "engine/share_sampler.h"

#include <cmath>

namespace ks {
namespace {

// In units of 2^-64, where addition wraps and so keeps the fraction alone.
constexpr uint64_t kGoldenRatio = 0x9E3779B97F4A7C15;
constexpr uint64_t kOneHalf = uint64_t{1} << 63;

}  // namespace

ShareSampler::ShareSampler(double share)
    : takes_all_(share >= 1),
      threshold_(takes_all_ ? 0 : static_cast<uint64_t>(std::ldexp(share, 64))),
      next_(kOneHalf) {}

bool ShareSampler::Next() {
  return takes_all_ || next_.fetch_add(kGoldenRatio, std::memory_order_relaxed) < threshold_;
}

}  // namespace ks
