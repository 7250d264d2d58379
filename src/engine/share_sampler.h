// Which requests of a stream belong to a share of it.
#pragma once

#include <atomic>
#include <cstdint>

namespace ks {

// Says of each request in turn whether it is taken, so that `share` of any stretch of requests is: of any n in a row
// n * share, off by a few at most (chance would be off by the square root of n). Any thread may ask; the answers
// depend on the order of the calls alone, so a test knows them.
//
// The n-th call takes where frac(1/2 + n * phi), phi the golden ratio, lies below the share. Those fractions fill the
// unit interval evenly and never repeat: unlike "every tenth", no pattern in the traffic (a client that sends a long
// text after each nine short ones) can be in step with it.
class ShareSampler {
 public:
  // Requires 0 <= share <= 1. 0 takes none, 1 takes all.
  explicit ShareSampler(double share);
  bool Next();

 private:
  const bool takes_all_;
  const uint64_t threshold_;  // the share in units of 2^-64
  std::atomic<uint64_t> next_;
};

}  // namespace ks
